# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running shadowsocks-libev program has been told, by its arguments and its config, as it reads them itself.

main() in src/server.c, local.c, redir.c and tunnel.c of 3.3.5: what stands in the arguments comes before the config.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _jconf
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._settings import (
    OWN_WAY,
    START,
    NotUnderstood,
    Read,
    Server,
    Settings,
    Variable,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _ss_arguments
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path

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


def settings(command: _ss_arguments.Command, read: Read, _variable: Variable) -> Settings:
    """The settings of a running program. Raises NotUnderstood, and what ``read`` raises."""
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
            raise NotUnderstood(f"{error}; {START}") from None
    return _settings(command, config)


def _settings(command: _ss_arguments.Command, config: _jconf.Config) -> Settings:
    told = {**config.texts, **{_SAME.get(name, name): value for name, value in command.options}}
    is_server = command.program == "ss-server"
    wanted = ["server_port", *([] if is_server else ["local_port"])]
    wanted += ["tunnel_address"] if command.program == "ss-tunnel" else []
    for name in wanted:
        if name not in told:
            raise NotUnderstood(f"neither its arguments nor its config name a {name}; {START}")
    if "password" not in told and "key" not in told:
        raise NotUnderstood(f"neither its arguments nor its config hold a password or key; {START}")
    if "i" in told and not is_server:
        raise NotUnderstood(OWN_WAY.format("-i"))
    ends, ipv6_first = _servers(command, config, told), config.ipv6_first or "6" in told
    modes = [_MODES[name] for name, _value in command.options if name in _MODES]
    secret = "key" if "key" in told else "password"
    secrets = {name: told[name] for name in (secret, "plugin_opts") if name in told}
    listens = None if is_server else told.get("local_address")
    return Settings(
        implementation=command.family,
        program=command.program,
        servers=tuple(Server(*end, told.get("method", METHOD), told.get("plugin"), secrets) for end in ends),
        mode=modes[-1] if modes else config.mode,
        local_address=_loopback(ends, ipv6_first) if listens is None and not is_server else listens,
        local_port=None if is_server else _port(told["local_port"]),
        tunnel_address=told["tunnel_address"] if command.program == "ss-tunnel" else None,
        fast_open=command.flag or config.fast_open,
        ipv6_first=ipv6_first,
    )


def _servers(
    command: _ss_arguments.Command, config: _jconf.Config, told: t.Mapping[str, str]
) -> tuple[tuple[str, int], ...]:
    """Every -s, or else the config's. A plugin takes all of them with the one port: start_plugin() in src/plugin.c."""
    listed = [_jconf.parse_addr(value) for name, value in command.options if name == "s"][: _jconf.MOST_SERVERS]
    ends: t.Sequence[_jconf.End] = listed or config.servers
    is_server = command.program == "ss-server"
    if not ends and not is_server:
        raise NotUnderstood(f"neither its arguments nor its config name a server; {START}")
    ends = ends or [(ANY_ADDRESS, None)]
    port, found = _port(told["server_port"]), []
    for host, own in ends:
        if not host:
            raise NotUnderstood(f"one of its servers has no address; {START}")
        found.append((host, _port(own) if own is not None and "plugin" not in told else port))
    if is_server and len({where for _host, where in found}) > 1:
        raise NotUnderstood("it listens on several ports; give each of them a service of its own")
    return tuple(dict.fromkeys(found))


def _port(text: str) -> int:
    """getaddrinfo(3) knows names of services too; which, is that host's own matter."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise NotUnderstood("one of its ports is no number from 1 to 65535: write it as one")
    return int(text)


def _loopback(servers: t.Sequence[tuple[str, int]], ipv6_first: bool) -> str:
    """Where a client listens by itself: ::1 where it reaches all servers by IPv6 (is_ipv6only() in src/netutils.c)."""
    try:
        reached = [_path.addresses(host, port, ipv6_first=ipv6_first)[0] for host, port in servers]
    except (OSError, ValueError):  # ValueError: what is no name
        return "127.0.0.1"
    return "::1" if all(":" in address for address in reached) else "127.0.0.1"
