# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running shadowsocks-libev program has been told, by its arguments and its config, as it reads them itself.

src/server.c, local.c, redir.c, tunnel.c and jconf.c of 3.3.5: what stands in the arguments comes before the config.
"""

from __future__ import annotations

import ipaddress
import json
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _ss_arguments, _ss_processes

METHOD = "chacha20-ietf-poly1305"
"""What it takes where nobody says (src/server.c, main)."""
MOST_SERVERS = 10
"""MAX_REMOTE_NUM (src/jconf.h); it ignores the others."""
_MODES = ("tcp_only", "tcp_and_udp", "udp_only")
_SAME = {"s": "server", "p": "server_port", "l": "local_port", "b": "local_address", "k": "password", "m": "method"}
_SAME.update({"L": "tunnel_address", "plugin-opts": "plugin_opts"})
_TEXTS = (*_SAME.values(), "plugin", "key")


class Settings(t.NamedTuple):
    """``servers``: address and port, of a server where it listens, of a client where it connects to, in their order.

    ``method`` as it is written; ``mode`` one of tcp_only, tcp_and_udp, udp_only. ``local_address`` and ``local_port`` are
    where a client listens, None of a server. ``fast_open``: it switches TFO on by itself. ``secrets`` are the password or
    key, and a plugin's options: for this host alone.
    """

    program: str
    servers: tuple[tuple[str, int], ...]
    method: str
    mode: str
    local_address: t.Optional[str]
    local_port: t.Optional[int]
    tunnel_address: t.Optional[str]
    plugin: t.Optional[str]
    fast_open: bool
    secrets: dict[str, str]


class NotUnderstood(Exception):
    """It cannot be told what this program does; the message says why, without a value of its arguments or config."""


def of_libev(argv: t.Sequence[str], executable: str, read: t.Callable[[str], bytes]) -> Settings:
    """The settings of a running program. ``read`` gives a config by the path that the process has for it.

    Raises NotUnderstood, and what ``read`` raises.
    """
    command = _ss_arguments.parse(argv, executable)
    if command is None or command.family != _ss_arguments.LIBEV:
        raise NotUnderstood(
            "it runs no program of shadowsocks-libev; a server can be adopted with its port, as any program"
        )
    if command.program == "ss-manager":
        raise NotUnderstood("ss-manager starts its servers itself, so no drop-in of theirs can be")
    if command.doubt:
        raise NotUnderstood(f"its option {_ascii.shown(command.doubt)} is not known here")
    path = "/etc/shadowsocks-libev/config.json" if command.config is None and command.default else command.config
    config = {} if path is None else _config(read(path))
    return _settings(command, config)


def of_process(pid: int, argv: t.Sequence[str], proc: str = "/proc") -> Settings:
    """The settings of a process: its config is read where it has it itself. Raises NotUnderstood, OSError."""
    return of_libev(
        argv,
        _ss_processes.executable(proc, str(pid)),
        lambda path: _ss_processes.read(_ss_processes.place(proc, str(pid), path))[0],
    )


def _settings(command: _ss_arguments.Command, config: t.Mapping[str, t.Any]) -> Settings:
    told: dict[str, t.Any] = {name: _text(name, config.get(name)) for name in _TEXTS if name != "server"}
    letters = {name for name, _value in command.options}
    listed = [value for name, value in command.options if name == "s"]
    for name, value in command.options:
        if name not in ("s",) and _SAME.get(name, name) in told:
            told[_SAME.get(name, name)] = value
    addresses = listed or _listed(config.get("server"))
    is_server = command.program == "ss-server"
    if not addresses and not is_server:
        raise NotUnderstood("neither its arguments nor its config name a server")
    servers = tuple(_server(entry, told["server_port"]) for entry in (addresses or ["0.0.0.0"])[:MOST_SERVERS])
    if is_server and len({port for _address, port in servers}) > 1:
        raise NotUnderstood("it listens on several ports; give each of them a service of its own")
    if not is_server and told["local_port"] is None:
        raise NotUnderstood("neither its arguments nor its config name a local_port")
    secrets = {name: told[name] for name in ("password", "key", "plugin_opts") if told[name] is not None}
    if not {"password", "key"} & set(secrets):
        raise NotUnderstood("neither its arguments nor its config hold a password or key")
    return Settings(
        program=command.program,
        servers=servers,
        method=told["method"] or METHOD,
        mode=_mode(letters, config.get("mode")),
        local_address=None if is_server else told["local_address"] or "127.0.0.1",
        local_port=None if is_server else _port(told["local_port"]),
        tunnel_address=told["tunnel_address"] if command.program == "ss-tunnel" else None,
        plugin=told["plugin"] or None,
        fast_open=command.flag or config.get("fast_open") is True,
        secrets=secrets,
    )


def _config(raw: bytes) -> dict[str, t.Any]:
    """A config as its JSON parser takes it: of a key that stands twice the last one counts. Raises NotUnderstood."""
    try:
        found = json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotUnderstood("its config is not a JSON object")
    return found


def _text(name: str, value: t.Any) -> t.Optional[str]:
    """jconf.c, to_string(): text, a whole number, or null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise NotUnderstood(f"{name} in its config is neither text nor a number")


def _listed(value: t.Any) -> list[str]:
    entries = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return [text for text in (_text("server", entry) for entry in entries) if text]


def _server(entry: str, port: t.Optional[str]) -> tuple[str, int]:
    """jconf.c, parse_addr(): an address, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT."""
    host, own = entry, ""
    try:
        ipaddress.ip_address(entry)
    except ValueError:
        if entry.startswith("["):
            host, _bracket, rest = entry[1:].partition("]")
            own = rest.lstrip(":")
        elif entry.count(":") == 1:
            host, _colon, own = entry.partition(":")
    return host, _port(own or port)


def _port(text: t.Optional[str]) -> int:
    if text is None:
        raise NotUnderstood("neither its arguments nor its config name a server_port")
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise NotUnderstood("a port of it is no number from 1 to 65535")
    return int(text)


def _mode(letters: t.Collection[str], value: t.Any) -> str:
    """-u and -U come before the config; a mode that it does not know is tcp_only."""
    if "U" in letters:
        return "udp_only"
    if "u" in letters:
        return "tcp_and_udp"
    return value if value in _MODES else "tcp_only"
