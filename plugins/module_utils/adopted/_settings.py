# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running shadowsocks-libev program has been told, by its arguments and its config, as it reads them itself.

main() in src/server.c, local.c, redir.c and tunnel.c of 3.3.5: what stands in the arguments comes before the config.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _jconf
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _ss_arguments

METHOD = "chacha20-ietf-poly1305"
"""What it takes where nobody says."""
ANY_ADDRESS = "0.0.0.0"
"""What ss-server binds where nobody says: IPv4 alone."""

_SAME = {
    "p": "server_port",
    "l": "local_port",
    "b": "local_address",
    "k": "password",
    "m": "method",
    "L": "tunnel_address",
    "plugin-opts": "plugin_opts",
}
"""Options and the keys that they overrule; plugin, password and key are called alike."""
_MODES = {"u": "tcp_and_udp", "U": "udp_only"}
_START = "with what stands there now it would not start: correct that, and restart it"

Read = t.Callable[[t.Optional[str]], bytes]


class Settings(t.NamedTuple):
    """``servers``: address and port, of a server where it listens, of a client where it connects to, in their order.

    ``method`` as it is written; ``mode`` one of tcp_only, tcp_and_udp, udp_only. ``local_address`` and ``local_port`` are
    where a client listens, None of a server. ``fast_open``: it switches TFO on by itself. ``secrets`` are the password or
    key, of both the one that counts, and a plugin's options: for this host alone.
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


def of_libev(argv: t.Sequence[str], executable: str, read: Read) -> Settings:
    """The settings of a running program.

    ``read`` gives a config by the path that the process has for it, None for the one that it finds by itself. Raises
    NotUnderstood, and what ``read`` raises.
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
    config = _jconf.Config()
    if command.config is not None or command.default:
        daemon = any(name == "f" for name, _value in command.options)
        if command.config is not None and not command.config.startswith("/") and daemon:
            raise NotUnderstood("-f lets it leave the folder that its config is relative to: give -c a whole path")
        try:
            config = _jconf.parse(read(command.config))
        except _jconf.Refused as error:
            raise NotUnderstood(f"{error}; {_START}") from None
    return _settings(command, config)


def _settings(command: _ss_arguments.Command, config: _jconf.Config) -> Settings:
    told = {**config.texts, **{_SAME.get(name, name): value for name, value in command.options}}
    is_server = command.program == "ss-server"
    wanted = ["server_port", *([] if is_server else ["local_port"])]
    wanted += ["tunnel_address"] if command.program == "ss-tunnel" else []
    for name in wanted:
        if name not in told:
            raise NotUnderstood(f"neither its arguments nor its config name a {name}; {_START}")
    if "password" not in told and "key" not in told:
        raise NotUnderstood(f"neither its arguments nor its config hold a password or key; {_START}")
    servers = _servers(command, config, told)
    modes = [_MODES[name] for name, _value in command.options if name in _MODES]
    secret = "key" if "key" in told else "password"
    return Settings(
        program=command.program,
        servers=servers,
        method=told.get("method", METHOD),
        mode=modes[-1] if modes else config.mode,
        local_address=None if is_server else told.get("local_address", _loopback(servers)),
        local_port=None if is_server else _port(told["local_port"]),
        tunnel_address=told["tunnel_address"] if command.program == "ss-tunnel" else None,
        plugin=told.get("plugin"),
        fast_open=command.flag or config.fast_open,
        secrets={name: told[name] for name in (secret, "plugin_opts") if name in told},
    )


def _servers(
    command: _ss_arguments.Command, config: _jconf.Config, told: t.Mapping[str, str]
) -> tuple[tuple[str, int], ...]:
    """Every -s, or else the config's. A plugin takes all of them with the one port: start_plugin() in src/plugin.c."""
    listed = [_jconf.parse_addr(value) for name, value in command.options if name == "s"][: _jconf.MOST_SERVERS]
    ends: t.Sequence[_jconf.End] = listed or config.servers
    is_server = command.program == "ss-server"
    if not ends and not is_server:
        raise NotUnderstood(f"neither its arguments nor its config name a server; {_START}")
    ends = ends or [(ANY_ADDRESS, None)]
    port, found = _port(told["server_port"]), []
    for host, own in ends:
        if not host:
            raise NotUnderstood(f"one of its servers has no address; {_START}")
        found.append((host, _port(own) if own is not None and "plugin" not in told else port))
    if is_server and len({where for _host, where in found}) > 1:
        raise NotUnderstood("it listens on several ports; give each of them a service of its own")
    return tuple(dict.fromkeys(found))


def _port(text: str) -> int:
    """getaddrinfo(3) knows names of services too; which, is that host's own matter."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise NotUnderstood("one of its ports is no number from 1 to 65535: write it as one")
    return int(text)


def _loopback(servers: t.Sequence[tuple[str, int]]) -> str:
    """Where a client listens by itself: ::1 where all servers are IPv6 (is_ipv6only()); a name is taken for IPv4."""
    try:
        versions = {ipaddress.ip_address(host).version for host, _port in servers}
    except ValueError:
        versions = {4}
    return "::1" if versions == {6} else "127.0.0.1"
