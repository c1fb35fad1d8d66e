# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says by now of hosts, their addresses and their instances."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover import _instances
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._files import VARIABLES
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._match import Fleet, Known
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Unreadable, Variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._lists import entries
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong

Listed = dict[str, t.Optional[list[dict[str, t.Any]]]]
"""The instances of a host by side, None where they cannot be read."""
Found = t.Mapping[str, t.Mapping[str, t.Any]]
"""What tfo_discover returned, by host."""


def listed(own: Variables) -> Listed:
    """The instances that a host has in the inventory."""
    return {side: of_side(own, side) for side in VARIABLES}


def of_side(own: Variables, side: str) -> t.Optional[list[dict[str, t.Any]]]:
    """Those of one side, None where they cannot be read."""
    variable = VARIABLES[side]
    try:
        return [_readable(one) for one in entries(own.parts(variable) or [])] if variable in own else []
    except (Unreadable, Wrong):
        return None


def fleet(everyone: t.Iterable[Variables], has: t.Mapping[str, Listed], found: Found) -> Fleet:
    """All hosts of the inventory, also those that were not looked at."""
    return Fleet(_known(own, has[own.host], found.get(own.host, {})) for own in everyone)


def servers(group: t.Iterable[str], has: t.Mapping[str, Listed], found: Found) -> set[str]:
    """The hosts with a server instance: by their group, by their variables, or by what runs there."""
    by_variables = (host for host, lists in has.items() if lists["server"] != [])
    return {*group, *by_variables, *(host for host, look in found.items() if _instances.serves(look))}


def _readable(entry: t.Any) -> dict[str, t.Any]:
    keys = entry if isinstance(entry, dict) else {}
    return {key: value for key, value in keys.items() if not isinstance(value, Unreadable)}


def _known(own: Variables, lists: Listed, look: t.Mapping[str, t.Any]) -> Known:
    public = [one.get("public_address") for one in lists["server"] or ()]
    try:
        called = own.get("ansible_host")
    except Unreadable:
        called = None
    return Known(
        own.host,
        called if isinstance(called, str) else "",
        tuple(address for address in public if isinstance(address, str)),
        tuple(look.get("addresses", ())),
    )
