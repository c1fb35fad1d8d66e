# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a libev program has been told; each row is a rule of src/server.c, local.c, redir.c, tunnel.c or jconf.c."""

from __future__ import annotations

import json
import socket
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _libev, _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_arguments

MINE: dict[str, t.Any] = {
    "server": "203.0.113.7",
    "server_port": 8388,
    "local_port": 1080,
    "password": "pw",
    "tunnel_address": "8.8.8.8:53",
}


NAMES = {"ss1.example": ["2001:db8::7", "203.0.113.7"], "six.example": ["2001:db8::6"]}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the names of servers stand for, as getaddrinfo(3) has it."""

    def resolve(host: str, port: int, *_more: t.Any) -> list[t.Any]:
        if host.endswith(".example") and host not in NAMES:
            raise socket.gaierror("no such name")
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(families[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in NAMES.get(host, [host])]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def settings(program: str, arguments: str, config: t.Any) -> _settings.Settings:
    """Of a program with these arguments and -c; ``config`` None: without."""
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    argv = [program, *arguments.split(), *([] if config is None else ["-c", "/c.json"])]
    return read(argv, {"/c.json": raw}.__getitem__)


def read(argv: list[str], config: _settings.Read, executable: str = "") -> _settings.Settings:
    """Of these arguments."""
    command = _ss_arguments.parse(argv, executable)
    assert command is not None
    return _libev.settings(command, config, lambda _name: None)


def field_of(found: _settings.Settings, field: str) -> t.Any:
    """One field; all servers share the method, the plugin and the secrets."""
    if field == "servers":
        return tuple((one.address, one.port) for one in found.servers)
    if field in ("method", "plugin", "secrets"):
        first, *others = (getattr(one, field) for one in found.servers)
        assert all(one == first for one in others)
        return first
    return getattr(found, field)


ARGV = "-s 192.0.2.9 -p 443 -l 1081 -k argv -m rc4-md5"


@pytest.mark.parametrize(
    ("program", "arguments", "change", "field", "expected"),
    [
        # options over config
        ("ss-server", "-s 192.0.2.9", {}, "servers", (("192.0.2.9", 8388),)),
        (
            "ss-server",
            "-s 192.0.2.9 -s ::1",
            {"server": ["::2", "::3"]},
            "servers",
            (("192.0.2.9", 8388), ("::1", 8388)),
        ),
        ("ss-local", "-p 443", {}, "servers", (("203.0.113.7", 443),)),
        ("ss-local", "-p 1 -p 443", {}, "servers", (("203.0.113.7", 443),)),
        ("ss-local", "-l 1081", {}, "local_port", 1081),
        ("ss-redir", "-b 0.0.0.0", {"local_address": "192.0.2.1"}, "local_address", "0.0.0.0"),
        ("ss-local", "-k argv", {}, "secrets", {"password": "argv"}),
        ("ss-local", "--password argv", {}, "secrets", {"password": "argv"}),
        ("ss-local", "-k one --password=two", {}, "secrets", {"password": "two"}),
        ("ss-local", "--pass argv", {}, "secrets", {"password": "argv"}),
        ("ss-server", "--key argv", {"key": "config"}, "secrets", {"key": "argv"}),
        ("ss-server", "-m rc4-md5", {"method": "aes-256-gcm"}, "method", "rc4-md5"),
        ("ss-tunnel", "-L 1.1.1.1:53", {}, "tunnel_address", "1.1.1.1:53"),
        ("ss-local", "--plugin a", {"plugin": "b"}, "plugin", "a"),
        ("ss-local", "--plugin-opts a", {"plugin_opts": "b"}, "secrets", {"password": "pw", "plugin_opts": "a"}),
        ("ss-local", "--plugin a", {"plugin_opts": "b"}, "secrets", {"password": "pw", "plugin_opts": "b"}),
        ("ss-server", "-u", {"mode": "udp_only"}, "mode", "tcp_and_udp"),
        ("ss-server", "-U", {"mode": "tcp_and_udp"}, "mode", "udp_only"),
        ("ss-server", "-U -u", {}, "mode", "tcp_and_udp"),
        ("ss-server", "--fast-open", {"fast_open": False}, "fast_open", True),
        ("ss-server", "-vuc /c.json -n 9 -a nobody -t 5 -f /pid", {"user": "x", "nofile": 9}, "mode", "tcp_and_udp"),
        # a program that needs no config
        ("ss-local", ARGV, None, "servers", (("192.0.2.9", 443),)),
        ("ss-local", ARGV, None, "method", "rc4-md5"),
        ("ss-local", ARGV, None, "mode", "tcp_only"),
        ("ss-local", ARGV, None, "fast_open", False),
        # what nobody says
        ("ss-local", "", {}, "method", "chacha20-ietf-poly1305"),
        ("ss-local", "", {"method": None}, "method", "chacha20-ietf-poly1305"),
        ("ss-local", "", {}, "local_address", "127.0.0.1"),
        ("ss-redir", "", {"server": ["2001:db8::1", "[2001:db8::2]:1"]}, "local_address", "::1"),
        ("ss-tunnel", "", {"server": ["2001:db8::1", "192.0.2.1"]}, "local_address", "127.0.0.1"),
        ("ss-local", "", {"server": "ss1.example"}, "local_address", "127.0.0.1"),
        ("ss-local", "", {"server": "six.example"}, "local_address", "::1"),
        ("ss-local", "-6", {"server": "ss1.example"}, "local_address", "::1"),
        ("ss-local", "", {"server": "ss1.example", "ipv6_first": True}, "local_address", "::1"),
        ("ss-local", "-6", {"server": "gone.example"}, "local_address", "127.0.0.1"),
        ("ss-local", "", {}, "ipv6_first", False),
        ("ss-local", "", {"ipv6_first": True}, "ipv6_first", True),
        ("ss-redir", "-6", {"ipv6_first": False}, "ipv6_first", True),
        ("ss-server", "", {"server": None}, "servers", (("0.0.0.0", 8388),)),
        ("ss-server", "", {"server": 7}, "servers", (("0.0.0.0", 8388),)),
        ("ss-server", "", {"plugin": ""}, "plugin", None),
        ("ss-server", "", {}, "fast_open", False),
        # what is another's
        ("ss-server", "-b 192.0.2.1 -l 1", {"local_address": "192.0.2.2"}, "local_address", None),
        ("ss-server", "-b 192.0.2.1", {}, "servers", (("203.0.113.7", 8388),)),
        ("ss-server", "", {}, "local_port", None),
        ("ss-local", "", {}, "tunnel_address", None),
        ("ss-server", "", {"port_password": {"9": "x"}}, "secrets", {"password": "pw"}),
        ("ss-server", "", {"workers": 4, "x": True}, "mode", "tcp_only"),
        ("ss-local", "", {"key": "k"}, "secrets", {"key": "k"}),
        # entries of server
        ("ss-local", "", {"server": "203.0.113.7:443"}, "servers", (("203.0.113.7", 443),)),
        ("ss-local", "", {"server": "ss1.example:443"}, "servers", (("ss1.example", 443),)),
        ("ss-local", "", {"server": "ss1.example:"}, "servers", (("ss1.example", 8388),)),
        ("ss-local", "", {"server": "2001:db8::1"}, "servers", (("2001:db8::1", 8388),)),
        ("ss-local", "", {"server": "[2001:db8::1]"}, "servers", (("2001:db8::1", 8388),)),
        ("ss-local", "", {"server": "[2001:db8::1]:443"}, "servers", (("2001:db8::1", 443),)),
        ("ss-local", "", {"server": ["a:1", "b", "a:1"]}, "servers", (("a", 1), ("b", 8388))),
        ("ss-local", "", {"server": [1, "b"]}, "servers", (("1", 8388), ("b", 8388))),
        (
            "ss-local",
            "",
            {"server": [f"h{n}" for n in range(12)]},
            "servers",
            tuple((f"h{n}", 8388) for n in range(10)),
        ),
        ("ss-local", " ".join(f"-s h{n}" for n in range(12)), {}, "servers", tuple((f"h{n}", 8388) for n in range(10))),
        ("ss-local", "-s [::1]:7", {}, "servers", (("::1", 7),)),
        ("ss-server", "", {"server": ["::1", "127.0.0.1"]}, "servers", (("::1", 8388), ("127.0.0.1", 8388))),
        ("ss-local", "--plugin x", {"server": ["a:1", "b:2"]}, "servers", (("a", 8388), ("b", 8388))),
        ("ss-server", "", {"server": ["::1:1", "[::1]:7"], "plugin": "x"}, "servers", (("::1:1", 8388), ("::1", 8388))),
        # values as jconf.c takes them
        ("ss-server", "", {"server_port": "8389"}, "servers", (("203.0.113.7", 8389),)),
        ("ss-local", "", {"local_port": "01080"}, "local_port", 1080),
        ("ss-local", "", {"password": 123456}, "secrets", {"password": "123456"}),
        ("ss-local", "", {"password": 12345678901}, "secrets", {"password": "-539222987"}),
        ("ss-local", "", {"password": "a\0b"}, "secrets", {"password": "a"}),
        ("ss-local", "", {"mode": "tcp_and_udp"}, "mode", "tcp_and_udp"),
        ("ss-local", "", {"mode": "tcp"}, "mode", "tcp_only"),
        ("ss-local", "", {"mode": 1}, "mode", "tcp_only"),
        ("ss-local", "", {"fast_open": True}, "fast_open", True),
        ("ss-local", "", {"method": "none-of-this-world"}, "method", "none-of-this-world"),
    ],
)
def test_rules(program: str, arguments: str, change: t.Any, field: str, expected: t.Any) -> None:
    config = None if change is None else {**MINE, **change}
    assert field_of(settings(program, arguments, config), field) == expected


@pytest.mark.parametrize(
    ("program", "arguments", "change", "why"),
    [
        ("ss-local", "-i secret", {}, "(-i), and a measurement would not"),
        ("ss-local", "", {"server": None}, "name a server;"),
        ("ss-local", "", {"server": []}, "name a server;"),
        ("ss-local", "", {"server": [None]}, "has no address"),
        ("ss-server", "", {"server": [None]}, "has no address"),
        ("ss-server", "", {"server": ""}, "has no address"),
        ("ss-server", "", {"server": [":8388"]}, "has no address"),
        ("ss-server", "", {"server_port": None}, "name a server_port;"),
        ("ss-local", "", {"server": "a:1", "server_port": None}, "name a server_port;"),
        ("ss-local", "", {"local_port": None}, "name a local_port;"),
        ("ss-tunnel", "", {"tunnel_address": None}, "name a tunnel_address;"),
        ("ss-server", "", {"password": None}, "hold a password or key;"),
        ("ss-server", "", {"password": None, "port_password": {"8388": "secret"}}, "hold a password or key;"),
        ("ss-server", "", {"server_port": "https-secret"}, "no number from 1 to 65535"),
        ("ss-server", "", {"server_port": 65536}, "no number from 1 to 65535"),
        ("ss-server", "", {"server": ["192.0.2.1:1", "192.0.2.1:2"]}, "several ports"),
        ("ss-server", "", {"password": True}, "password in its config is neither text nor a whole number"),
        ("ss-server", "", {"password": ["secret"]}, "password in its config is neither"),
        ("ss-server", "", {"server_port": 8388.5}, "server_port in its config is neither"),
        ("ss-server", "", {"fast_open": "secret"}, "fast_open in its config is not true or false"),
        ("ss-server", "", {"reuse_port": 1}, "reuse_port in its config is not true or false"),
        ("ss-server", "", {"nofile": "secret"}, "nofile in its config is no whole number"),
        ("ss-server", "", {"mtu": True}, "mtu in its config is no whole number"),
        ("ss-server", "", {"auth": "secret"}, "auth"),
        ("ss-server", "--obfs=secret", {}, "option --obfs is not known"),
        ("ss-server", "--p secret", {}, "option --p is not known"),
        ("ss-server", "-Xsecret", {}, "option -X is not known"),
    ],
)
def test_not_understood(program: str, arguments: str, change: dict[str, t.Any], why: str) -> None:
    with pytest.raises(_settings.NotUnderstood) as raised:
        settings(program, arguments, {**MINE, **change})
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_config_that_it_finds_by_itself() -> None:
    """Only without any argument."""
    raw = json.dumps(MINE).encode()
    assert field_of(read(["ss-server"], {None: raw}.__getitem__), "servers") == (("203.0.113.7", 8388),)
    with pytest.raises(_settings.NotUnderstood):
        read(["ss-server", "-v"], {None: raw}.__getitem__)


def test_relative_config_of_a_daemon() -> None:
    """daemonize() goes to the root folder."""
    raw = json.dumps(MINE).encode()
    assert read(["ss-server", "-c", "c.json"], {"c.json": raw}.__getitem__).servers
    with pytest.raises(_settings.NotUnderstood, match="give -c a whole path"):
        read(["ss-server", "-f", "/pid", "-c", "c.json"], {"c.json": raw}.__getitem__)


def test_what_cannot_be_read_is_the_callers() -> None:
    def refused(path: t.Optional[str]) -> bytes:
        raise PermissionError(path)

    with pytest.raises(PermissionError):
        read(["x", "-c", "/c.json"], refused, "/usr/bin/ss-server")
