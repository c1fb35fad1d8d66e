# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From inventory variables to the services that a host must run; every mistake found before a host is touched."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _lists, _values
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import Address, is_loopback
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
    Unreadable,
    Variables,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._ports import WILDCARDS

ANY_ADDRESS = ["::", "0.0.0.0"]
"""What an instance without an address binds (ss-server by itself: 0.0.0.0 alone). It sets IPV6_V6ONLY on '::', so both
are needed; a family that the host lacks is skipped by ss-server as long as one address works (src/server.c, main)."""

NAMED_ALIKE = "two instances have the name {!r}: give one another name"
ADOPTED_ALIKE = "two instances adopt {}: keep one of them"


class FleetError(Exception):
    """The inventory says something that cannot work.

    ``errors`` holds one line a mistake, ``services`` what nothing is wrong with by itself.
    """

    def __init__(self, errors: list[str], services: t.Sequence[dict[str, t.Any]] = ()) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors
        self.services = services


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
    instances, errors = _checked(own.host, variable, keys, raw, _insecure(own, which), gone)
    errors += _twice(own.host, variable, NAMED_ALIKE, [instance["name"] for instance in instances])
    services: list[dict[str, t.Any]] = []
    adopted: list[dict[str, t.Any]] = []
    for instance in (one for one in instances if one["state"] == "present"):
        try:
            if is_adopted(instance):
                adopted.append(_adopted(own.host, which, instance, lookup, servers))
            else:
                services += _servers(instance) if which == "server" else [_client(own.host, instance, lookup)]
        except FleetError as error:
            errors += error.errors
    errors += _twice(own.host, variable, NAMED_ALIKE, [service["name"] for service in services])
    errors += _twice(own.host, variable, ADOPTED_ALIKE, [one["unit"] for one in adopted])
    if errors:
        raise FleetError(list(dict.fromkeys(errors)), services)
    return Side(services, [instance["name"] for instance in instances if instance["state"] == "absent"], adopted)


def _refuse(errors: list[str]) -> None:
    if errors:
        raise FleetError(errors)


def _insecure(own: Variables, which: str) -> bool:
    """Whether stream ciphers are allowed; a value that is no boolean is told of elsewhere."""
    try:
        return _values.Boolean().read(own.get(f"ss_{which}_allow_insecure_methods", False))
    except (_values.Wrong, Unreadable):
        return False


def _checked(
    host: str, variable: str, keys: dict[str, Key], raw: t.Any, insecure: bool, gone: bool
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """The good instances, and what is wrong with the others."""
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
        instance, mistakes = check(keys, entry, insecure=insecure)
        errors += _lines(host, variable, label(entry, index), mistakes)
        if not mistakes:
            instances.append(instance)
    return instances, errors


def _lines(host: str, variable: str, name: str, mistakes: list[tuple[str, str]]) -> list[str]:
    return [f"{host}: {variable}[{name}]{'.' * bool(key)}{key}: {message}" for key, message in mistakes]


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


def _servers(instance: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    count = instance["workers"]
    names = [instance["name"]] if count == 1 else [f"{instance['name']}-{n}" for n in range(1, count + 1)]
    address = instance["address"]
    return [
        {
            "program": "ss-server",
            "name": name,
            "instance": instance["name"],
            "server": ANY_ADDRESS if address in (None, *WILDCARDS) else [address],
            "server_port": instance["port"],
            "reuse_port": count > 1,
            **_common(instance, ("method", "password", "acl", "nameserver")),
        }
        for name in names
    ]


def _client(host: str, instance: dict[str, t.Any], lookup: Lookup) -> dict[str, t.Any]:
    service = {
        "program": instance["program"],
        "name": instance["name"],
        "instance": instance["name"],
        "local_address": instance["local_address"],
        "local_port": instance["local_port"],
        **_common(instance, ("tunnel_address",)),
    }
    if instance["server_instance"] is None:
        outside = {key: instance[key] for key in ("server_port", "method", "password")}
        return {**service, "server": [Address().read(instance["server"])], **outside}
    where = f"{host}: ss_client_instances[{instance['name']}]"
    server = lookup(instance["server"])
    if server is None:
        raise FleetError([f"{where}.server: {instance['server']!r} is no inventory host"])
    target = _target(where, server, instance["server_instance"])
    return {
        **service,
        "server": [_reached_at(where, host, server, target)],
        "server_host": server.host,
        "server_port": target["port"],
        "method": target["method"],
        "password": target["password"],
    }


def _target(where: str, server: Variables, name: str) -> dict[str, t.Any]:
    """The server's instance, checked as on the server itself. Raises FleetError."""
    try:
        raw, known = server.find("ss_server_instances", "name", name)
    except Unreadable as error:
        raise FleetError([f"{where}: ss_server_instances of server {server.host} {error}"]) from None
    if raw is None:
        has = ", ".join(known) or "none in the inventory"
        raise FleetError([f"{where}.server_instance: server {server.host} has no instance {name!r} (it has: {has})"])
    if is_adopted(raw):
        raise FleetError(
            [
                f"{where}.server_instance: {name!r} of server {server.host} is adopted, and its password stays on its host:"
                " give server (its address), server_port, method and password"
            ]
        )
    target, mistakes = check(SERVER_KEYS, raw, insecure=_insecure(server, "server"))
    _refuse(_lines(server.host, "ss_server_instances", name, mistakes))
    if target["state"] == "absent":
        raise FleetError([f"{where}.server_instance: instance {name!r} of server {server.host} is absent"])
    return target


def _reached_at(where: str, host: str, server: Variables, instance: dict[str, t.Any]) -> str:
    if instance["public_address"] is not None:
        return instance["public_address"]
    bound = instance["address"] not in (None, *WILDCARDS)
    try:
        found = instance["address"] if bound else Address().read(server.get("ansible_host", server.host))
        if host != server.host and is_loopback(found):
            raise _values.Wrong(f"{_values.shown(found)} is that host itself, wherever it is used")
    except (_values.Wrong, Unreadable) as error:
        which = f"the address of instance {instance['name']!r}" if bound else "ansible_host"
        raise FleetError(
            [f"{where}: {which} of server {server.host}: {error}; give its instance a public_address"]
        ) from None
    return found


def _common(instance: dict[str, t.Any], keys: tuple[str, ...]) -> dict[str, t.Any]:
    shared = ("mode", "timeout_seconds", "plugin", "plugin_opts", *keys)
    return {key: instance[key] for key in shared if instance[key] is not None}
