# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rust program has been told; each row is a rule of load_from_ssconfig() (src/config.rs of shadowsocks-service), or
of create() in src/service/server.rs and local.rs of shadowsocks-rust 1.25.0."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _rust, _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_arguments, _ss_config

MINE: dict[str, t.Any] = {
    "server": "203.0.113.7",
    "server_port": 8388,
    "local_port": 1080,
    "method": "aes-256-gcm",
    "password": "pw",
}
LIST: dict[str, t.Any] = {key: None for key in ("server", "server_port", "method", "password")}
ONE = {"address": "192.0.2.1", "port": 443, "method": "chacha20-ietf-poly1305", "password": "one"}
TWO = {"server": "198.51.100.2", "server_port": 8389, "method": "aes-128-gcm", "password": "two"}
ENDS = (("192.0.2.1", 443), ("198.51.100.2", 8389))
FLAT = ("203.0.113.7", 8388)
KEY = "AAECAwQFBgcICQoLDA0ODw=="
OF_2022 = {**ONE, "method": "2022-blake3-aes-128-gcm", "password": KEY}
USERS = [{"name": "a", "password": KEY}]
TUNNEL = {"protocol": "tunnel", "local_port": 53, "forward_address": "2001:db8::1", "forward_port": 53}
REDIR = {"protocol": "redir", "local_port": 9}
ASKS = {"local_port": 9, "socks5_auth_config_path": "/secret"}
OTHERS = ("http 127.0.0.1:9", "tunnel 127.0.0.1:53")
UDP = {"mode": "udp_only"}
BOTH = {"mode": "tcp_and_udp"}
ARGV = "-s 192.0.2.9:443 -m aes-128-gcm -k argv"
VARIABLES = {"SECRET": "from the environment", "SS_SERVER_PASSWORD": "of the environment"}


def servers(*entries: t.Any) -> dict[str, t.Any]:
    """A config of these alone, and of MINE's listener."""
    return {**LIST, "servers": [*entries]}


def listeners(*entries: t.Any) -> dict[str, t.Any]:
    """A config of these alone, and of MINE's server."""
    return {"local_port": None, "locals": [*entries]}


def settings(program: str, arguments: str, config: t.Any) -> _settings.Settings:
    """Of a program with these arguments and -c; ``config`` None: without."""
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    argv = [*program.split(), *arguments.split(), *([] if config is None else ["-c", "/c.json"])]
    command = _ss_arguments.parse(argv)
    assert command is not None
    return _rust.settings(command, {"/c.json": raw}.__getitem__, VARIABLES.get)


def field_of(found: _settings.Settings, field: str) -> t.Any:
    """One field, of servers one an entry."""
    if field == "servers":
        return tuple((one.address, one.port) for one in found.servers)
    if field in ("method", "plugin", "secrets"):
        return [getattr(one, field) for one in found.servers]
    return getattr(found, field)


RULES: list[tuple[str, str, t.Any, str, t.Any]] = [
    # what it is
    ("ssserver", "", {}, "program", "ss-server"),
    ("ssservice server", "", {}, "program", "ss-server"),
    ("ssservice local", "", {}, "program", "ss-local"),
    ("sslocal", "", {"protocol": "redir"}, "program", "ss-redir"),
    ("sslocal", "", {}, "implementation", "rust"),
    # the one server of the outermost keys
    ("ssserver", "", {}, "servers", (FLAT,)),
    ("ssserver", "", {"server": "::"}, "servers", (("::", 8388),)),
    ("ssserver", "", {"server": "localhost"}, "servers", (("localhost", 8388),)),
    ("ssserver", "", {}, "method", ["aes-256-gcm"]),
    ("ssserver", "", {"method": "2022-blake3-aes-128-gcm", "password": KEY}, "method", ["2022-blake3-aes-128-gcm"]),
    ("ssserver", "", {}, "secrets", [{"password": "pw"}]),
    ("ssserver", "", {"method": "none", "password": None}, "secrets", [{"password": ""}]),
    ("ssserver", "", {}, "mode", "tcp_only"),
    ("ssserver", "", {"mode": "tcp_and_udp"}, "mode", "tcp_and_udp"),
    ("ssserver", "", {"mode": "udp_only"}, "mode", "udp_only"),
    ("ssserver", "", {"local_address": "192.0.2.9"}, "local_address", None),
    ("ssserver", "", {}, "local_port", None),
    # and those of the list
    ("sslocal", "", servers(ONE, TWO), "servers", ENDS),
    ("sslocal", "", {**LIST, "shadowsocks": [ONE, TWO]}, "servers", ENDS),
    ("sslocal", "", {"servers": [ONE, TWO]}, "servers", (FLAT, *ENDS)),
    ("sslocal", "", {"servers": [ONE, MINE]}, "servers", (FLAT, ENDS[0])),
    ("sslocal", "", servers(ONE, TWO), "secrets", [{"password": "one"}, {"password": "two"}]),
    ("sslocal", "", servers(ONE, TWO), "method", ["chacha20-ietf-poly1305", "aes-128-gcm"]),
    ("sslocal", "", servers({**ONE, "disabled": True}, TWO), "servers", ENDS[1:]),
    ("sslocal", "", servers(ONE, {**TWO, "tcp_weight": 0}), "servers", ENDS[:1]),
    ("sslocal", "", servers(ONE, {**TWO, "tcp_weight": 0.5, "udp_weight": 0}), "servers", ENDS),
    ("sslocal", "", servers({**ONE, "mode": "udp_only"}, TWO), "servers", ENDS[1:]),
    ("sslocal", "", servers({**ONE, "mode": "udp_only"}, {**TWO, "tcp_weight": 0}), "servers", ENDS[:1]),
    ("sslocal", "", servers({**ONE, "mode": "udp_only"}), "mode", "tcp_only"),
    ("sslocal", "", {"tcp_weight": 0}, "mode", "tcp_only"),
    ("sslocal", "", {**servers(ONE, TWO), **UDP, "locals": [{**REDIR, "mode": "tcp_only"}]}, "servers", ENDS),
    ("ssserver", "", servers(ONE, {**TWO, "disabled": True}), "servers", ENDS[:1]),
    ("ssserver", "", {**servers(ONE), "mode": "tcp_and_udp"}, "mode", "tcp_and_udp"),
    ("ssserver", "", servers(ONE), "mode", "tcp_only"),
    ("ssserver", "", servers(ONE, {**ONE, "address": "::1", "mode": "tcp_and_udp"}), "mode", "tcp_only"),
    ("ssserver", "", servers(ONE, {**TWO, "mode": "udp_only"}), "servers", ENDS[:1]),
    ("ssserver", "", servers(ONE, {**ONE, "address": "::1"}), "servers", (ENDS[0], ("::1", 443))),
    ("ssserver", "", servers({**ONE, "tcp_weight": 0}), "servers", ENDS[:1]),
    ("ssserver", "", servers({**OF_2022, "users": USERS}), "secrets", [{"password": KEY, "users": USERS}]),
    # where a client listens
    ("sslocal", "", {}, "local_address", "127.0.0.1"),
    ("sslocal", "", {"ipv6_first": True}, "local_address", "::1"),
    ("sslocal", "", {"server": "::1"}, "local_address", "127.0.0.1"),
    ("sslocal", "", {"local_address": "192.0.2.3"}, "local_address", "192.0.2.3"),
    ("sslocal", "", listeners({"local_port": 1081}), "local_port", 1081),
    ("sslocal", "", listeners({"local_port": 1, "disabled": True}, {"local_port": 2}), "local_port", 2),
    ("sslocal", "", listeners(TUNNEL), "tunnel_address", "[2001:db8::1]:53"),
    ("sslocal", "", listeners(TUNNEL), "program", "ss-tunnel"),
    ("sslocal", "", {**BOTH, "locals": [{**REDIR, **UDP}]}, "mode", "tcp_and_udp"),
    ("sslocal", "", {"mode": "udp_only"}, "mode", "udp_only"),
    # of several the one that can be measured best
    ("sslocal", "", listeners(TUNNEL, REDIR), "program", "ss-redir"),
    ("sslocal", "", {"protocol": "redir", "locals": [{"local_port": 9}]}, "local_port", 9),
    ("sslocal", "", {**UDP, "locals": [{**REDIR, "mode": "tcp_only"}]}, "local_port", 9),
    ("sslocal", "", {"locals": [{**REDIR, "protocol": "http"}, TUNNEL]}, "beside", OTHERS),
    ("sslocal", "", listeners(ASKS, {"local_port": 10}), "local_port", 10),
    # what is in the arguments comes beside it
    ("ssserver", ARGV, None, "servers", (("192.0.2.9", 443),)),
    ("ssserver", "--server-addr=[::]:443 --encrypt-method plain", None, "servers", (("::", 443),)),
    ("ssserver", ARGV, None, "secrets", [{"password": "argv"}]),
    ("ssserver", "-s [::]:443 -m aes-128-gcm", None, "secrets", [{"password": "of the environment"}]),
    ("ssserver", f"{ARGV} -U", None, "mode", "tcp_and_udp"),
    ("ssserver", f"{ARGV} -u", None, "mode", "udp_only"),
    ("ssserver", ARGV, {**BOTH, "server_port": 443}, "servers", (("203.0.113.7", 443), ("192.0.2.9", 443))),
    ("sslocal", ARGV, {}, "servers", (FLAT, ("192.0.2.9", 443))),
    ("sslocal", f"{ARGV} -b 127.0.0.1:1", None, "local_port", 1),
    ("sslocal", f"{ARGV} --local-addr [::1]:1 -U", None, "mode", "tcp_and_udp"),
    ("sslocal", "-b localhost:1", {"mode": "tcp_and_udp"}, "beside", ("socks localhost:1",)),
    ("sslocal", "-b [::]:1 --protocol tunnel -f a:53", {"local_port": None}, "tunnel_address", "a:53"),
    ("ssserver", "-b ::1 --log-without-time -vv --worker-threads 2 -n 9 --user x", {}, "servers", (FLAT,)),
    ("sslocal", "", {}, "ipv6_first", False),
    ("sslocal", "", {"ipv6_first": True}, "ipv6_first", True),
    ("sslocal", "-6", {"ipv6_first": False}, "ipv6_first", True),
    # TCP Fast Open
    ("ssserver", "", {}, "fast_open", False),
    ("ssserver", "", {"fast_open": True}, "fast_open", True),
    ("ssserver", "--tcp-fast-open", {"fast_open": False}, "fast_open", True),
    ("sslocal", "--fast-open", {}, "fast_open", True),
    ("ssserver", "", servers({**ONE, "fast_open": True}), "fast_open", False),
    # plugins
    ("sslocal", "", {"plugin": "v2ray-plugin", "plugin_opts": "key=x"}, "plugin", ["v2ray-plugin"]),
    ("sslocal", "", {"plugin": "a", "plugin_opts": "b"}, "secrets", [{"password": "pw", "plugin_opts": "b"}]),
    ("sslocal", "", {"plugin": "", "plugin_opts": "key=x"}, "secrets", [{"password": "pw"}]),
    ("sslocal", f"{ARGV} --plugin a --plugin-opts b", {"local_port": 1}, "plugin", [None, "a"]),
    # passwords that are variables
    ("ssserver", "", {"password": "${SECRET}"}, "secrets", [{"password": "from the environment"}]),
    ("ssserver", "", {"password": "${GONE}"}, "secrets", [{"password": "${GONE}"}]),
    ("ssserver", "", {"password": "x${SECRET}"}, "secrets", [{"password": "x${SECRET}"}]),
    ("sslocal", "", {"method": "None", "server": "${SECRET}", "password": None}, "servers", (("${SECRET}", 8388),)),
    ("ssserver", "-s [::]:443 -m none -k ${SECRET}", None, "secrets", [{"password": "from the environment"}]),
    # what it ignores
    ("ssserver", "", {"workers": "4", "nameserver": 1, "remarks": 5, "disabled": 1}, "servers", (FLAT,)),
    ("ssserver", "", {"online_config": {"config_url": "https://secret"}, "locals": []}, "servers", (FLAT,)),
]


@pytest.mark.parametrize(("program", "arguments", "change", "field", "expected"), RULES)
def test_rules(program: str, arguments: str, change: t.Any, field: str, expected: t.Any) -> None:
    config = None if change is None else {**MINE, **change}
    assert field_of(settings(program, arguments, config), field) == expected


REFUSED: list[tuple[str, str, t.Any, str]] = [
    ("ssserver", "", {"server": ["secret"]}, "server in its config is no text;"),
    ("ssserver", "", {"server_port": "secret"}, "server_port in its config is no port;"),
    ("ssserver", "", {"server_port": 8388.0}, "server_port in its config is no port;"),
    ("ssserver", "", {"server_port": 65536}, "server_port in its config is no port;"),
    ("ssserver", "", {"server_port": True}, "server_port in its config is no port;"),
    ("ssserver", "", {"server_port": 0}, "port 0;"),
    ("ssserver", "", {"server": ""}, "empty address"),
    ("ssserver", "", {"method": None}, "has no method;"),
    ("ssserver", "", {"password": None}, "has no password;"),
    ("ssserver", "", {"password": 12345}, "password in its config is no text;"),
    ("ssserver", "", {"fast_open": "secret"}, "fast_open in its config is not true or false;"),
    ("ssserver", "", {"timeout": -1}, "timeout in its config is no whole number;"),
    ("ssserver", "", {"mode": "secret"}, "a mode in its config is not known;"),
    ("ssserver", "", {"servers": {"secret": 1}}, "servers in its config is no list;"),
    ("ssserver", "", {"servers": ["secret"]}, "is no object;"),
    ("ssserver", "", {"servers": [{**ONE, "tcp_weight": "secret"}]}, "tcp_weight in its config is no number;"),
    ("ssserver", "", {"servers": [{**ONE, "server": "secret"}]}, "has server twice;"),
    ("ssserver", "", {"servers": [ONE], "shadowsocks": [ONE]}, "has servers twice;"),
    ("ssserver", "", {"servers": [{**ONE, "port": None}]}, "has no server_port;"),
    ("ssserver", "", LIST, "name a server;"),
    ("ssserver", "", servers({**ONE, "disabled": True}), "name a server;"),
    ("ssserver", "", {"servers": [TWO]}, "several ports"),
    ("ssserver", "--obfs=secret", {}, "option --obfs is not known"),
    ("ssserver", "-Xsecret", {}, "option -X is not known"),
    ("ssserver", "-s secret -m aes-128-gcm", None, "no ADDRESS:PORT;"),
    ("ssserver", "-s secret:https -m aes-128-gcm", None, "no ADDRESS:PORT;"),
    ("sslocal", "", LIST, "it connects everybody directly"),
    ("sslocal", "", {"local_port": None}, "where it listens;"),
    ("sslocal", "", {"local_port": None, "local_address": "::1"}, "lacks a local_port;"),
    ("sslocal", "", {"locals": [{"protocol": "redir"}]}, "lacks a local_port;"),
    ("sslocal", "", {"protocol": "secret"}, "a protocol in its config is not known;"),
    ("sslocal", "", {"protocol": "tunnel"}, "forward_address and forward_port;"),
    ("sslocal", "", {"protocol": "http"}, "none of its listeners can be measured"),
    ("sslocal", "", listeners(ASKS), "none of its listeners"),
    ("sslocal", "--protocol tun", {"local_port": None}, "none of its listeners can be measured"),
    ("sslocal", "--server-url ss://secret@h:1 -b 127.0.0.1:1", None, "a URL in its arguments"),
    ("sslocal", "--online-config-url https://secret", {}, "from a URL"),
    ("sslocal", "", {"online_config": {"config_url": "https://secret"}}, "from a URL"),
    ("sslocal", "--outbound-bind-interface secret", {}, "(--outbound-bind-interface), and a measurement would not"),
    ("sslocal", "", {"outbound_fwmark": 1, "outbound_bind_addr": "::1"}, "(outbound_bind_addr, outbound_fwmark)"),
    ("sslocal", "", servers({**ONE, "outbound_bind_interface": "secret"}, TWO), "(outbound_bind_interface), and"),
    ("sslocal", "", {"outbound_proxy": "socks5://secret@h:1"}, "through another proxy"),
]


@pytest.mark.parametrize(("program", "arguments", "change", "why"), REFUSED)
def test_not_understood(program: str, arguments: str, change: t.Optional[dict[str, t.Any]], why: str) -> None:
    with pytest.raises(_settings.NotUnderstood) as raised:
        settings(program, arguments, None if change is None else {**MINE, **change})
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"// mine\n{server: '::', server_port: 0x20C4, method: 'none',}", ""),
        (b"{\n  password: s3cret\n}", "its config is no JSON5 (line 2, column 13);"),
        (b"{server: '::', server: '::1'}", "its config has server twice;"),
        (b"[]", "is no object;"),
        (b"{'a': '\xff s3cret'}", "its config is not UTF-8;"),
    ],
)
def test_json5(raw: bytes, why: str) -> None:
    if not why:
        assert field_of(settings("ssserver", "", raw), "servers") == (("::", 8388),)
        return
    with pytest.raises(_settings.NotUnderstood) as raised:
        settings("ssserver", "", raw)
    assert why in str(raised.value) and "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "fast_open: true // on",
        '"fast_\\u006fpen": true,',
        "fast_\\u006fpen: true",
        "'fast_open': /* on */ true",
        "fast_open: false",
        "fast_open: null",
        "// fast_open: true",
        "servers: [{fast_open: true, address: '::', port: 8388, method: 'none'}]",
        "remarks: 'fast_open: true'",
    ],
)
def test_the_kernels_look_agrees(text: str) -> None:
    """It asks each process for this one key, and knows nothing of the others."""
    raw = f"{{server: '::', server_port: 8388, method: 'none', \n{text}\n}}".encode()
    assert settings("ssserver", "", raw).fast_open is _ss_config.fast_open(raw)


def test_the_config_that_it_finds_by_itself() -> None:
    """Whatever other arguments it has, as long as no server is among them."""
    raw = json.dumps(MINE).encode()
    for arguments, found in (([], True), (["--fast-open", "-v"], True), (["-s", "[::]:1", "-m", "none"], False)):
        command = _ss_arguments.parse(["ssserver", *arguments])
        assert command is not None
        ends = field_of(_rust.settings(command, {None: raw}.__getitem__, VARIABLES.get), "servers")
        assert (FLAT in ends) is found
