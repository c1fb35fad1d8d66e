# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that one checked instance stands for; a client's server is looked up in the inventory."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import Implementation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fits, _values
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import Address, is_loopback
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    SERVER_KEYS,
    check,
    is_adopted,
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


class FleetError(Exception):
    """The inventory says something that cannot work.

    ``errors`` holds one line a mistake, ``services`` what nothing is wrong with by itself.
    """

    def __init__(self, errors: list[str], services: t.Sequence[dict[str, t.Any]] = ()) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors
        self.services = services


def rules(own: Variables, which: str) -> dict[str, t.Any]:
    """By what the instances of a host are checked; a value that is none of its kind is told of elsewhere."""
    return {"implementation": runs(own), "insecure": _read(own, f"ss_{which}_allow_insecure_methods", False)}


def runs(own: Variables) -> Implementation:
    """What runs the services of a host."""
    return _implementations.BY_NAME[_read(own, "shadowsocks_implementation", _implementations.DEFAULT)]


def _read(own: Variables, name: str, default: t.Any) -> t.Any:
    kind = _values.Boolean() if isinstance(default, bool) else _values.Choice(tuple(_implementations.BY_NAME))
    try:
        value = own.get(name, None)
        return default if value is None else kind.read(value)
    except (_values.Wrong, Unreadable):
        return default


def lines(host: str, variable: str, name: str, mistakes: list[tuple[str, str]]) -> list[str]:
    """One line a mistake of an instance."""
    return [f"{host}: {variable}[{name}]{'.' * bool(key)}{key}: {message}" for key, message in mistakes]


def servers(instance: dict[str, t.Any], implementation: Implementation) -> list[dict[str, t.Any]]:
    """One service, or one a worker that is a process."""
    workers = {"workers": instance["workers"]} if implementation.threads and instance["workers"] else {}
    count = 1 if implementation.threads else instance["workers"] or 1
    names = [instance["name"]] if count == 1 else [f"{instance['name']}-{n}" for n in range(1, count + 1)]
    return [
        {
            "implementation": implementation.name,
            "program": "ss-server",
            "name": name,
            "instance": instance["name"],
            "server": _bound(instance["address"], implementation),
            "server_port": instance["port"],
            "reuse_port": count > 1,
            **workers,
            **_common(instance, ("method", "password", "users", "acl", "nameserver")),
        }
        for name in names
    ]


def _bound(address: t.Optional[str], implementation: Implementation) -> list[str]:
    """What a server binds: 0.0.0.0 alone where it would not start on a host without the other family."""
    if address == "0.0.0.0" and not implementation.skips_families:
        return [address]
    return ANY_ADDRESS if address in (None, *WILDCARDS) else [address]


def client(host: str, instance: dict[str, t.Any], lookup: Lookup, implementation: Implementation) -> dict[str, t.Any]:
    """The service of a client. Raises FleetError."""
    service = {
        "implementation": implementation.name,
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
    password = _password(where, target, instance["user"])
    mistakes = [
        *_fits.method(implementation, target["method"], repr(target["method"]), True),
        *_fits.password(implementation, target["method"], password, True),
    ]
    _refuse([f"{where}.server_instance: {key} of the server: {message}" for key, message in mistakes])
    return {
        **service,
        "server": [_reached_at(where, host, server, target)],
        "server_host": server.host,
        "server_port": target["port"],
        "method": target["method"],
        "password": password,
    }


def _password(where: str, target: t.Mapping[str, t.Any], user: t.Optional[str]) -> str:
    """The client's own, which with a server of several users is the server's key and the user's. Raises FleetError."""
    users = {one["name"]: one["password"] for one in target["users"] or ()}
    if user is None and not users:
        return target["password"]
    if user not in users:
        has = f"which has users: take one of {', '.join(users)}" if users else "which has none: leave it out"
        raise FleetError(
            [f"{where}.user: {'is missing' if user is None else repr(user)} for {target['name']!r}, {has}"]
        )
    return f"{target['password']}:{users[user]}"


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
    target, mistakes = check(SERVER_KEYS, raw, **rules(server, "server"))
    _refuse(lines(server.host, "ss_server_instances", name, mistakes))
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


def _refuse(errors: list[str]) -> None:
    if errors:
        raise FleetError(errors)
