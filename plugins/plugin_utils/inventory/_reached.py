# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server is reached: by a host that is no client of it, and by its clients."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._addresses import normal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _lists, _values
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import is_loopback
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import (
    Lookup,
    Unreadable,
    Variables,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._ports import WILDCARDS


def targets(server: str, by: str, lookup: Lookup) -> list[dict[str, t.Any]]:
    """{host, port} of each instance that carries TCP itself, as a client on host ``by`` would have it; [] where that
    cannot be told, say since the server is managed through a tunnel."""
    own = lookup(server)
    try:
        raw = _lists.entries(own.get("ss_server_instances", [])) if own else []
        clients = [
            {"name": one["name"], "server": server, "server_instance": one["name"], "local_port": 1024 + at}
            for at, one in enumerate(raw)
            if one.get("state") != "absent" and one.get("mode") != "udp_only" and not one.get("plugin")
        ]
        services = _fleet.side("client", Variables(by, {}), clients, lookup).services
    except (_fleet.FleetError, _values.Wrong, Unreadable):
        return []
    return [{"host": service["server"][0], "port": service["server_port"]} for service in services]


def addresses(server: str, lookup: Lookup) -> set[str]:
    """The addresses and names at which clients reach a server, as far as the inventory tells. Nothing that may be another
    machine elsewhere is among them: a private address is its own network's, and counts as a public_address alone."""
    own = lookup(server)
    if own is None:
        return set()
    try:
        host = own.get("ansible_host") or ""
    except Unreadable:
        host = ""
    found: set[str] = set()
    for one in own.picked("ss_server_instances", ("state", "public_address", "address")):
        if one.get("state") != "absent":
            public, bound = one.get("public_address"), one.get("address")
            found.add(normal(str(public)) if public else _anywhere(str(host if bound in (None, *WILDCARDS) else bound)))
    return {address for address in found if address and not is_loopback(address)}


def _anywhere(address: str) -> str:
    """The address where it is the same machine wherever it is used, else ''."""
    try:
        return normal(address) if ipaddress.ip_address(normal(address)).is_global else ""
    except ValueError:
        return normal(address)
