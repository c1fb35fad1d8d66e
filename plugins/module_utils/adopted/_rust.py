# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running shadowsocks-rust program has been told, by its arguments and its config, as it reads them itself.

create() in src/service/server.rs and local.rs of 1.25: a server and a listener of the arguments come beside those of the
config, and a flag only switches on.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _rust_config
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._rust_config import BOTH, TCP, UDP
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

PROGRAMS = {"socks": "ss-local", "redir": "ss-redir", "tunnel": "ss-tunnel"}
"""By protocol, what the listener of a client is called here; the first that it has is the one that is looked at."""

_LETTERS = {"c": "config", "s": "server-addr", "k": "password", "m": "encrypt-method", "f": "forward-addr"}
_LETTERS.update({"a": "user", "n": "nofile", "d": "daemonize"})
_LISTEN = {"server": "outbound-bind-addr", "local": "local-addr"}
"""What -b means."""
_KNOWN = frozenset(
    "config server-addr password encrypt-method forward-addr user nofile daemonize daemonize-pid outbound-bind-addr"
    " bind-addr outbound-bind-interface outbound-proxy local-addr protocol udp-bind-addr udp-associate-addr timeout"
    " plugin plugin-mode plugin-opts server-url manager-addr manager-address acl dns dns-cache-size tcp-no-delay no-delay"
    " tcp-fast-open fast-open tcp-keep-alive tcp-multipath mptcp udp-timeout udp-max-associations"
    " inbound-send-buffer-size inbound-recv-buffer-size outbound-send-buffer-size outbound-recv-buffer-size"
    " log-without-time log-config outbound-fwmark tcp-redir udp-redir stat-path stat-addr local-dns-addr"
    " remote-dns-addr tun-interface-name tun-interface-address tun-interface-destination tun-device-fd-from-path"
    " fake-dns-record-expire-duration fake-dns-ipv4-network fake-dns-ipv6-network fake-dns-database-path"
    " single-threaded worker-threads online-config-url online-config-update-interval online-config-allowed-plugin"
    " u U 6 v".split()
)


def settings(command: _ss_arguments.Command, read: Read, variable: Variable) -> Settings:
    """The settings of a running program. Raises NotUnderstood, and what ``read`` raises."""
    names = {**_LETTERS, "b": _LISTEN[command.role]}
    told = {names.get(name, name): value for name, value in command.options}
    unknown = command.doubt or next((f"--{name}" for name in told if name not in _KNOWN), "")
    if unknown:
        raise NotUnderstood(f"its option {_ascii.shown(unknown)} is not known here")
    client = command.role == "local"
    config = _rust_config.Config()
    if command.config is not None or command.default:
        try:
            config = _rust_config.parse(read(command.config), client, variable)
        except _rust_config.Refused as error:
            raise NotUnderstood(f"{error}; {START}") from None
    if "server-url" in told:
        raise NotUnderstood("a URL in its arguments is its server: give --server-addr and the like, or a config")
    if "online-config-url" in told or (client and config.online):
        raise NotUnderstood("its servers come from a URL and may change: write them into its config")
    if client and config.proxied:
        raise NotUnderstood("it reaches its servers through another proxy, outbound_proxy: take that away")
    own_way = [*config.own_way, *(f"--{name}" for name in told if name.replace("-", "_") in _rust_config.OWN_WAY)]
    if client and own_way:
        raise NotUnderstood(OWN_WAY.format(", ".join(own_way)))
    servers = [*config.servers, *([_told_server(told, client, variable)] if "server-addr" in told else [])]
    if not servers and client:
        raise NotUnderstood("it has no server, so it connects everybody directly: give it one")
    if not servers:
        raise NotUnderstood(f"neither its arguments nor its config name a server; {START}")
    fast_open = command.flag or config.fast_open
    if not client:
        return _server(servers, fast_open)
    listeners = [*config.locals, *([_told_local(told)] if {"local-addr", "protocol"} & set(told) else [])]
    return _client(servers, listeners, fast_open)._replace(ipv6_first=config.ipv6_first or "6" in told)


def _server(servers: t.Sequence[_rust_config.Server], fast_open: bool) -> Settings:
    used = [one for one in servers if one.mode != UDP] or servers
    if len({one.port for one in used}) > 1:
        raise NotUnderstood(
            "it listens on several ports: give each of them a service of its own, or adopt it as any program, with one of"
            " them as its port"
        )
    return Settings(_ss_arguments.RUST, "ss-server", _ends(used), _mode(used), None, None, None, fast_open)


def _client(
    servers: t.Sequence[_rust_config.Server], listeners: t.Sequence[_rust_config.Local], fast_open: bool
) -> Settings:
    """Its servers are those for TCP with a weight, or else the first (ping_balancer.rs, check_server_tcp_enabled())."""
    if not listeners:
        raise NotUnderstood(f"neither its arguments nor its config say where it listens; {START}")
    fit = [one for one in listeners if one.protocol in PROGRAMS and not one.asks]
    if not fit:
        raise NotUnderstood(
            "none of its listeners can be measured: give it one more, for socks without a user, redir or tunnel"
        )
    order = [*PROGRAMS]
    chosen = min(fit, key=lambda one: (one.mode == UDP, order.index(one.protocol)))
    used = [one for one in servers if one.mode != UDP and one.weight > 0]
    return Settings(
        _ss_arguments.RUST,
        PROGRAMS[chosen.protocol],
        _ends(used or servers[:1]),
        chosen.mode,
        chosen.address,
        chosen.port,
        chosen.target,
        fast_open,
        tuple(f"{one.protocol} {_rust_config.joined(one.address, one.port)}" for one in listeners if one is not chosen),
    )


def _ends(servers: t.Iterable[_rust_config.Server]) -> tuple[Server, ...]:
    """One an address and port."""
    found: dict[tuple[str, int], Server] = {}
    for one in servers:
        more = {"plugin_opts": one.plugin_opts, "users": list(one.users)}
        secrets = {"password": one.password, **{key: value for key, value in more.items() if value}}
        end = Server(one.address, one.port, one.method, one.plugin, secrets)
        found.setdefault((one.address, one.port), end)
    return tuple(found.values())


def _mode(servers: t.Iterable[_rust_config.Server]) -> str:
    modes = {one.mode for one in servers}
    return modes.pop() if len(modes) == 1 else TCP


def _told_server(told: t.Mapping[str, str], client: bool, variable: Variable) -> _rust_config.Server:
    """The one of the arguments, for TCP alone of a server. Without -k it asks its environment (src/password.rs)."""
    address, port = _end(told["server-addr"])
    password = (
        _rust_config.resolved(told["password"], variable) if "password" in told else variable("SS_SERVER_PASSWORD")
    )
    mode = BOTH if client or "U" in told else UDP if "u" in told else TCP
    plugin = told.get("plugin")
    options = told.get("plugin-opts") if plugin else None
    return _rust_config.Server(
        address, port, told.get("encrypt-method", ""), password or "", mode, 1.0, plugin, options
    )


def _told_local(told: t.Mapping[str, str]) -> _rust_config.Local:
    if "local-addr" not in told:
        return _rust_config.Local(told["protocol"], "", 0, TCP)
    address, port = _end(told["local-addr"])
    mode = BOTH if "U" in told else UDP if "u" in told else TCP
    return _rust_config.Local(told.get("protocol", "socks"), address, port, mode, told.get("forward-addr"))


def _end(text: str) -> tuple[str, int]:
    """ServerAddr: IPv4:PORT, [IPv6]:PORT or NAME:PORT."""
    address, _colon, port = text.rpartition(":")
    if not address or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise NotUnderstood(f"an address in its arguments is no ADDRESS:PORT; {START}")
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address, int(port)
