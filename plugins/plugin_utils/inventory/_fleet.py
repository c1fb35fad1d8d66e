# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From inventory variables to the services that a host must run; every mistake found before a host is touched."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _lists, _services, _values
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    CLIENT_KEYS,
    SERVER_KEYS,
    Key,
    check,
    is_adopted,
    label,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import (
    Lookup,
    Variables,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._services import FleetError

NAMED_ALIKE = "two instances have the name {!r}: give one another name"
ADOPTED_ALIKE = "two instances adopt {}: keep one of them"


@dataclasses.dataclass(frozen=True)
class Side:
    """What one side of a host is to run: ``services``, one a worker; ``absent`` are the instances that are to go.

    ``adopted`` are services of somebody else, as _adopted gives them.
    """

    services: list[dict[str, t.Any]]
    absent: list[str]
    adopted: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)


def side(
    which: str,
    own: Variables,
    raw: t.Any,
    lookup: Lookup,
    gone: bool = False,
    servers: t.Callable[[], t.Mapping[str, str]] = dict,
) -> Side:
    """The server or client side of a host, from the value of its list of instances; ``gone``: all of them are to go.

    ``servers`` gives the inventory host behind each address, for clients whose config alone says where they lead.

    Raises FleetError.
    """
    variable = f"ss_{which}_instances"
    keys = SERVER_KEYS if which == "server" else CLIENT_KEYS
    implementation = _services.runs(own)
    instances, errors = _checked(own, which, keys, raw, gone)
    errors += _twice(own.host, variable, NAMED_ALIKE, [instance["name"] for instance in instances])
    services: list[dict[str, t.Any]] = []
    adopted: list[dict[str, t.Any]] = []
    for instance in (one for one in instances if one["state"] == "present"):
        try:
            if is_adopted(instance):
                adopted.append(_adopted(own.host, which, instance, lookup, servers))
            else:
                services += (
                    _services.servers(instance, implementation)
                    if which == "server"
                    else [_services.client(own.host, instance, lookup, implementation)]
                )
        except FleetError as error:
            errors += error.errors
    errors += _twice(own.host, variable, NAMED_ALIKE, [service["name"] for service in services])
    errors += _twice(own.host, variable, ADOPTED_ALIKE, [one["unit"] for one in adopted])
    if errors:
        raise FleetError(list(dict.fromkeys(errors)), services)
    return Side(services, [instance["name"] for instance in instances if instance["state"] == "absent"], adopted)


def _checked(
    own: Variables, which: str, keys: dict[str, Key], raw: t.Any, gone: bool
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """The good instances, and what is wrong with the others."""
    host, variable = own.host, f"ss_{which}_instances"
    rules = _services.rules(own, which)
    try:
        entries = _lists.Listing().read(raw)
    except _values.Wrong as error:
        raise FleetError([f"{host}: {variable}: {error}"]) from None
    instances, errors = [], []
    for index, entry in enumerate(entries):
        if gone and is_adopted(entry):
            continue  # whatever goes, what is somebody else's stays
        if gone and isinstance(entry, dict):
            entry = {**entry, "state": "absent"}
        instance, mistakes = check(keys, entry, **rules)
        errors += _services.lines(host, variable, label(entry, index), mistakes)
        if not mistakes:
            instances.append(instance)
    return instances, errors


def _twice(host: str, variable: str, message: str, values: list[str]) -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    return [f"{host}: {variable}: {message.format(value)}" for value in twice]


def _adopted(
    host: str,
    which: str,
    instance: dict[str, t.Any],
    lookup: Lookup,
    servers: t.Callable[[], t.Mapping[str, str]],
) -> dict[str, t.Any]:
    """What the host is told of a service that it shall read itself: ``name``, ``unit``, a server's ``port`` where it is
    any program's, a client's ``server_host`` where it is told, else ``server_hosts``, by address. Raises FleetError.
    """
    server = instance.get("server")  # a server's instance has none
    if server is not None and lookup(server) is None:
        where = f"{host}: ss_client_instances[{instance['name']}].server"
        raise FleetError([f"{where}: {server!r} is no inventory host; leave it out, the address is read on the host"])
    told = {"name": instance["name"], "unit": instance["unit"], "port": instance.get("port"), "server_host": server}
    if which == "client" and server is None:
        told["server_hosts"] = dict(servers())
    return {key: value for key, value in told.items() if value is not None}
