# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's hostvars as the plain Host of _fleet."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleError
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, Host, Lookup


def read_host(hostvars: t.Any, name: str) -> t.Optional[Host]:
    """The host as the inventory has it, or None. Raises FleetError where a variable of it cannot be templated."""
    if name not in hostvars:
        return None
    variables = hostvars[name]
    return Host(
        name=name,
        address=str(_value(name, variables, "ansible_host", name)),
        server_instances=_value(name, variables, "ss_server_instances", []),
        client_instances=_value(name, variables, "ss_client_instances", []),
        insecure_server=bool(_value(name, variables, "ss_server_allow_insecure_methods", False)),
        insecure_client=bool(_value(name, variables, "ss_client_allow_insecure_methods", False)),
    )


def reader(hostvars: t.Any) -> Lookup:
    """A Lookup over the inventory that reads each host once."""
    known: dict[str, t.Optional[Host]] = {}

    def lookup(name: str) -> t.Optional[Host]:
        if name not in known:
            known[name] = read_host(hostvars, name)
        return known[name]

    return lookup


def plain(value: t.Any) -> t.Any:
    """Lists and dicts without Ansible's lazy containers, every template in them evaluated."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(item) for item in value]
    return value


def _value(host: str, variables: t.Any, key: str, default: t.Any) -> t.Any:
    try:
        found = plain(variables[key]) if key in variables else default
    except AnsibleError as error:
        raise FleetError([f"{host}: {key}: {error.message}"]) from error
    return default if found is None else found
