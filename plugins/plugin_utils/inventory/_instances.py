# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one entry of ss_server_instances or ss_client_instances may say, checked without touching a host."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import Implementation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fits, _near
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._acl import AccessList
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import (
    Address,
    HostPort,
    NameServers,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Unreadable
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import (
    Choice,
    Integer,
    Kind,
    Text,
    Wrong,
    read,
    shown,
)

PROGRAMS = ("ss-local", "ss-redir", "ss-tunnel")


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of an instance. One that is not ``required`` has its ``default`` where it is left out."""

    kind: Kind
    required: bool = False
    default: t.Any = None


_NAME = Text(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "1 to 64 letters, digits, '_', '.', '-': it becomes a systemd instance"
)
_PORT = Integer(1, 65535)
_SHARED = {
    "mode": Key(Choice(("tcp_only", "tcp_and_udp", "udp_only")), default="tcp_only"),
    "timeout_seconds": Key(Integer(1, 86_400), default=300),
    "plugin": Key(Text(words="the name or path of a SIP003 plugin")),
    "plugin_opts": Key(Text(words="the options of the plugin", secret=True)),
    "state": Key(Choice(("present", "absent")), default="present"),
}

SERVER_KEYS: dict[str, Key] = {
    "name": Key(_NAME, required=True),
    "port": Key(_PORT, required=True),
    "method": Key(Text(words="a cipher"), required=True),
    "password": Key(Text(words="the password", secret=True), required=True),
    "address": Key(Address()),
    "public_address": Key(Address()),
    "users": Key(_fits.Users()),
    "workers": Key(Integer(1, 64)),
    "acl": Key(AccessList()),
    "nameserver": Key(NameServers()),
    **_SHARED,
}

CLIENT_KEYS: dict[str, Key] = {
    "name": Key(_NAME, required=True),
    "server": Key(Text(words="an inventory host, or the address of an outside server"), required=True),
    "local_port": Key(_PORT, required=True),
    "server_instance": Key(_NAME),
    "user": Key(Text(words="the name of a user of that instance")),
    "server_port": Key(_PORT),
    "method": Key(Text(words="a cipher")),
    "password": Key(Text(words="the password", secret=True)),
    "program": Key(Choice(PROGRAMS), default="ss-local"),
    "local_address": Key(Address(), default="127.0.0.1"),
    "tunnel_address": Key(HostPort()),
    **_SHARED,
}

_UNIT = Text(
    r"(?!.*\.(automount|device|mount|path|scope|slice|socket|swap|target|timer)$)"
    r"[A-Za-z0-9:_.\\-]+(@(?!\.service$)[A-Za-z0-9:_.\\-]+)?",
    "the name of a systemd service, of a template with its instance (name@instance.service)",
)
_ADOPTED = {
    "name": Key(_NAME, required=True),
    "unit": Key(_UNIT, required=True),
    "state": Key(Choice(("present",)), default="present"),
}

ADOPTED_SERVER_KEYS: dict[str, Key] = {**_ADOPTED, "port": Key(_PORT), "public_address": Key(Address())}
ADOPTED_CLIENT_KEYS: dict[str, Key] = {
    **_ADOPTED,
    "server": Key(Text(words="an inventory host: which one the server is, where its address does not tell")),
}
"""Of somebody else's service, which is adopted: everything else is read on its host."""


def label(raw: t.Any, index: int) -> str:
    """How messages call an entry: by its name where it has one that can be shown, else by its number, from 0."""
    name = raw.get("name") if isinstance(raw, Mapping) else None
    return str(name) if isinstance(name, str) and name and name.isprintable() else str(index)


def check(
    keys: t.Mapping[str, Key],
    raw: t.Any,
    *,
    insecure: bool = False,
    implementation: Implementation = _implementations.BY_NAME[_implementations.DEFAULT],
) -> tuple[dict[str, t.Any], list[tuple[str, str]]]:
    """One instance with its defaults filled in, and what is wrong with it as (key, message), never showing a secret.

    ``keys`` is SERVER_KEYS or CLIENT_KEYS; an instance with a ``unit`` is adopted and has only a few keys of its own.
    Unknown keys are mistakes: every implementation would ignore them silently. A key without a value counts as left out. An
    instance that is to go (``state: absent``) needs nothing but its name.
    """
    if not isinstance(raw, Mapping):
        return {}, [("", str(raw) if isinstance(raw, Unreadable) else "is not a mapping with a name")]
    if is_adopted(raw):
        return _adopted(ADOPTED_CLIENT_KEYS if keys is CLIENT_KEYS else ADOPTED_SERVER_KEYS, keys, raw)
    instance, mistakes = _typed(keys, raw)
    leaves = instance["state"] == "absent"
    needed = [name for name, key in keys.items() if key.required and raw.get(name) is None]
    mistakes += [(name, "is missing") for name in needed if name == "name" or not leaves]
    if not leaves:
        given = frozenset(name for name in keys if raw.get(name) is not None)
        relations = [
            *_fits.method(implementation, instance["method"], shown(raw.get("method")), insecure),
            *_fits.password(implementation, instance["method"], instance["password"], keys is CLIENT_KEYS),
            *(_client(instance, given) if keys is CLIENT_KEYS else _fits.server(implementation, instance)),
        ]
        if "plugin_opts" in given and "plugin" not in given:
            relations.append(("plugin_opts", "is given without plugin"))
        told = {name for name, _message in mistakes}
        mistakes += [(name, message) for name, message in relations if name not in told]
    return instance, mistakes


def is_adopted(raw: t.Any) -> bool:
    """Whether an entry names a service of somebody else."""
    return isinstance(raw, Mapping) and raw.get("unit") is not None


def whole_unit(name: str) -> str:
    """With its suffix, which may be left out as for systemctl(1)."""
    return name if name.endswith(".service") else f"{name}.service"


def _adopted(
    keys: t.Mapping[str, Key], ours: t.Mapping[str, Key], raw: t.Mapping[str, t.Any]
) -> tuple[dict[str, t.Any], list[tuple[str, str]]]:
    theirs = [str(key) for key in raw if key in ours and key not in keys]
    instance, mistakes = _typed({**ours, **keys}, {key: raw[key] for key in raw if key not in theirs})
    mistakes += [(key, "is its owner's: an instance with unit is adopted, and only its TFO is ours") for key in theirs]
    if raw.get("name") is None:
        mistakes.append(("name", "is missing"))
    if instance.get("unit") is not None:
        instance["unit"] = whole_unit(instance["unit"])
    return {key: instance[key] for key in keys}, mistakes


def _typed(keys: t.Mapping[str, Key], raw: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[tuple[str, str]]]:
    """The values of known keys, defaults filled in, and what is wrong with each by itself."""
    mistakes = [(str(key), _unknown(str(key), keys)) for key in raw if key not in keys]
    instance: dict[str, t.Any] = {}
    for name, key in keys.items():
        instance[name] = key.default
        if raw.get(name) is None:
            continue
        try:
            if isinstance(raw[name], Unreadable):
                raise raw[name]
            instance[name] = read(key.kind, raw[name])
        except (Wrong, Unreadable) as error:
            instance[name] = None
            mistakes.append((name, str(error)))
    return instance, mistakes


def _unknown(key: str, keys: t.Mapping[str, Key]) -> str:
    return f"is unknown{_near.hint(key, keys) or '; known are ' + ', '.join(keys)}"


def _client(instance: t.Mapping[str, t.Any], given: t.Collection[str]) -> list[tuple[str, str]]:
    """How the keys of a client go together; ``given`` are those with a value, which may be wrong by itself."""
    mistakes = []
    outside = [key for key in ("server_port", "method", "password") if key in given]
    if instance["server_instance"] is not None:
        chosen = shown(instance["server_instance"])
        mistakes += [(key, f"comes from server_instance {chosen}: leave it out") for key in outside]
    elif instance["server"] is not None and "server_instance" not in given:
        if "user" in given:
            mistakes.append(("user", "is of a server_instance: give the password of an outside server as it is"))
        missing = [key for key in ("server_port", "method", "password") if key not in outside]
        if missing:
            mistakes.append(
                (
                    "server",
                    f"{shown(instance['server'])}: name the server_instance of an inventory host, or give"
                    f" {', '.join(missing)} of an outside server",
                )
            )
        try:
            Address().read(instance["server"])
        except Wrong as error:
            mistakes.append(("server", str(error)))
    program = instance["program"]
    if program == "ss-tunnel" and "tunnel_address" not in given:
        mistakes.append(("tunnel_address", "is missing: ss-tunnel needs it (HOST:PORT)"))
    if program not in (None, "ss-tunnel") and "tunnel_address" in given:
        mistakes.append(("tunnel_address", f"is for ss-tunnel, not for {instance['program']}"))
    return mistakes
