# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A config as shadowsocks-rust 1.25 reads it: SSConfig and load_from_ssconfig() in its crate shadowsocks-service.

serde ignores keys that it does not know, takes null for absent, and refuses a key that stands twice, and any other type
than the key's own: no text for a number, no list for ``server``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _json5
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._settings import Variable

TCP, UDP, BOTH = MODES = ("tcp_only", "udp_only", "tcp_and_udp")
OWN_WAY = ("outbound_bind_addr", "outbound_bind_interface", "outbound_fwmark")
PROTOCOLS = ("socks", "redir", "tunnel", "http", "dns", "tun", "fake-dns")

_TOP = frozenset(
    "server server_port local_address local_port protocol manager_address manager_port password method plugin plugin_opts"
    " plugin_args plugin_mode timeout udp_timeout udp_max_associations udp_mtu servers locals dns_cache_size mode no_delay"
    " keep_alive nofile ipv6_first ipv6_only fast_open mptcp outbound_fwmark outbound_bind_addr outbound_bind_interface"
    " acl online_config outbound_proxy".split()
)
_SERVER = frozenset(
    "server server_port password method users disabled plugin plugin_opts plugin_args plugin_mode timeout remarks id mode"
    " tcp_weight udp_weight acl outbound_fwmark outbound_bind_addr outbound_bind_interface".split()
)
_LOCAL = frozenset(
    "local_address local_port disabled mode protocol forward_address forward_port socks5_auth_config_path acl".split()
)
"""The keys of SSConfig, SSServerExtConfig and SSLocalExtConfig, as far as they are looked at."""
_KINDS: dict[str, tuple[str, t.Callable[[t.Any], bool]]] = {
    **dict.fromkeys(
        "server local_address protocol manager_address password method plugin plugin_opts plugin_mode mode acl"
        " outbound_bind_addr outbound_bind_interface forward_address socks5_auth_config_path remarks id".split(),
        ("no text", lambda value: isinstance(value, str)),
    ),
    **dict.fromkeys(
        "server_port local_port manager_port forward_port".split(),
        ("no port", lambda value: _whole(value) and 0 <= value < 65536),
    ),
    **dict.fromkeys(
        "timeout udp_timeout udp_max_associations udp_mtu dns_cache_size keep_alive nofile outbound_fwmark".split(),
        ("no whole number", lambda value: _whole(value) and value >= 0),
    ),
    **dict.fromkeys(
        "no_delay ipv6_first ipv6_only fast_open mptcp disabled".split(),
        ("not true or false", lambda value: isinstance(value, bool)),
    ),
    **dict.fromkeys(
        ("tcp_weight", "udp_weight"), ("no number", lambda value: _whole(value) or isinstance(value, float))
    ),
    **dict.fromkeys(("servers", "locals", "plugin_args", "users"), ("no list", lambda value: isinstance(value, list))),
}
_ALIASES = {"shadowsocks": "servers", "address": "server", "port": "server_port", "name": "remarks"}

Table = dict[str, t.Any]


class Server(t.NamedTuple):
    """One that a server is, or a client uses. ``plugin`` and ``plugin_opts`` are None without one. ``weight``: of TCP.
    ``users``: {name, password} of each whom a server knows beside its own key.
    """

    address: str
    port: int
    method: str
    password: str
    mode: str = TCP
    weight: float = 1.0
    plugin: t.Optional[str] = None
    plugin_opts: t.Optional[str] = None
    users: tuple[Table, ...] = ()


class Local(t.NamedTuple):
    """Where a client listens. ``target``: ADDRESS:PORT of a tunnel; ``asks``: it wants to know who uses it."""

    protocol: str
    address: str
    port: int
    mode: str
    target: t.Optional[str] = None
    asks: bool = False


class Config(t.NamedTuple):
    """``locals`` are a client's alone. ``online``: its servers come from a URL. ``proxied``: it uses another proxy. ``own_way``: keys
    by which it goes out of this host otherwise than others do. ``ipv6_first``: see Settings."""

    servers: tuple[Server, ...] = ()
    locals: tuple[Local, ...] = ()
    fast_open: bool = False
    online: bool = False
    proxied: bool = False
    own_way: tuple[str, ...] = ()
    ipv6_first: bool = False


class Refused(Exception):
    """shadowsocks-rust does not start with this; the message says why, without a value of it."""


def parse(raw: bytes, client: bool, variable: Variable) -> Config:
    """What it makes of a config. Raises Refused."""
    try:
        value = _json5.parse(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refused("its config is not UTF-8") from None
    except _json5.Json5Error as error:
        raise Refused(f"its config is no JSON5 ({error})") from None
    told = _table(value, _TOP, ["shadowsocks"])
    mode, listed = _mode(told, TCP), list(_listed(told))
    return Config(
        tuple(_servers(told, listed, mode, client, variable)),
        tuple(_locals(told, mode)) if client else (),
        told.get("fast_open", False),
        "online_config" in told,
        "outbound_proxy" in told,
        tuple(key for key in OWN_WAY if any(key in one for one in (told, *listed))),
        told.get("ipv6_first", False),
    )


def resolved(password: str, variable: Variable) -> str:
    """read_variable_field_value(): ${NAME} as a whole is a variable's value where there is such a variable."""
    found = variable(password[2:-1]) if password.startswith("${") and password.endswith("}") else None
    return password if found is None else found


def joined(address: str, port: int) -> str:
    """ADDRESS:PORT."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _table(value: t.Any, names: t.Container[str], aliases: t.Sequence[str] = ()) -> Table:
    """An object's values by name, without those that are null."""
    if not isinstance(value, _json5.Object):
        raise Refused("its config, or an entry of it, is no object")
    told: Table = {}
    for written, found in value.pairs:
        name = _ALIASES[written] if written in aliases else written
        if name not in names:
            continue
        if name in told:
            raise Refused(f"its config has {name} twice")
        wrong, fits = _KINDS.get(name, ("", lambda _value: True))
        if found is not None and not fits(found):
            raise Refused(f"{name} in its config is {wrong}")
        told[name] = found
    return {name: found for name, found in told.items() if found is not None}


def _listed(told: Table) -> t.Iterator[Table]:
    """The entries of the list of servers that are not disabled."""
    for entry in told.get("servers", ()):
        own = _table(entry, _SERVER, ["address", "port", "name"])
        if not own.get("disabled", False):
            yield own


def _servers(told: Table, listed: t.Iterable[Table], mode: str, client: bool, variable: Variable) -> t.Iterator[Server]:
    """The one of the outermost keys, and then those of the list."""
    if any(name in told for name in ("server", "server_port", "password", "method")):
        yield _server(told, mode, variable)
    for own in listed:
        yield _server(own, _mode(own, BOTH if client else mode), variable)


def _server(told: Table, mode: str, variable: Variable) -> Server:
    for name in ("server", "server_port", "method"):
        if name not in told:
            raise Refused(f"a server in its config has no {name}")
    if "password" not in told and told["method"].lower() not in ("none", "plain"):
        raise Refused("a server in its config has no password")
    if not told["server"] or not told["server_port"]:
        raise Refused("a server in its config has an empty address, or port 0")
    plugin = told.get("plugin") or None
    return Server(
        told["server"],
        told["server_port"],
        told["method"],
        resolved(told.get("password", ""), variable),
        mode,
        float(told.get("tcp_weight", 1)),
        plugin,
        told.get("plugin_opts") if plugin else None,
        tuple(_table(user, ("name", "password")) for user in told.get("users", ())),
    )


def _locals(told: Table, mode: str) -> t.Iterator[Local]:
    """get_local_address(): by itself it listens on 127.0.0.1, or on ::1 with ipv6_first."""
    loopback = "::1" if told.get("ipv6_first", False) else "127.0.0.1"
    if "local_address" in told or "local_port" in told:
        yield _local(told, mode, loopback)
    for entry in told.get("locals", ()):
        own = _table(entry, _LOCAL)
        if not own.get("disabled", False):
            yield _local(own, _mode(own, BOTH if own.get("protocol") == "dns" else mode), loopback)


def _local(told: Table, mode: str, loopback: str) -> Local:
    protocol = told.get("protocol", "socks")
    if protocol not in PROTOCOLS:
        raise Refused("a protocol in its config is not known")
    if not told.get("local_port") and protocol != "tun":
        raise Refused("its config lacks a local_port")
    target = told.get("forward_address")
    if protocol == "tunnel" and not (target and told.get("forward_port")):
        raise Refused("a tunnel in its config has no forward_address and forward_port")
    return Local(
        protocol,
        told.get("local_address", loopback),
        told.get("local_port", 0),
        mode,
        joined(target, told["forward_port"]) if protocol == "tunnel" and target else None,
        told.get("socks5_auth_config_path") is not None,
    )


def _mode(told: Table, otherwise: str) -> str:
    mode = told.get("mode", otherwise)
    if mode not in MODES:
        raise Refused("a mode in its config is not known")
    return str(mode)


def _whole(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
