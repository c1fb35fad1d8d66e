# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each implementation makes of a service."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._libev import LIBEV
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._rust import RUST
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, MARKER, SERVER_SERVICE

SERVER = {**SERVER_SERVICE, "implementation": "rust", "server": ["203.0.113.7"]}
CLIENT = {**CLIENT_SERVICE, "implementation": "rust"}
ENTRY = {
    "server": "203.0.113.7",
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": MARKER,
    "mode": "tcp_only",
}
LOCAL = {"local_address": "127.0.0.1", "local_port": 1080, "mode": "tcp_only"}
USERS = [{"name": "ann", "password": MARKER}]


def config(service, **change):
    """As it is written."""
    return json.loads(_service.config_text({**service, **change}))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({}, {"servers": [ENTRY], "timeout": 300}, id="nothing more than was given, and no fast_open"),
        pytest.param(
            {"server": ["::", "0.0.0.0"]},
            {
                "servers": [{**ENTRY, "server": "::"}, {**ENTRY, "server": "0.0.0.0"}],
                "timeout": 300,
                "ipv6_only": True,
            },
            id="each family by itself",
        ),
        pytest.param(
            {"workers": 4}, {"servers": [ENTRY], "timeout": 300, "runtime": {"worker_count": 4}}, id="threads"
        ),
        pytest.param(
            {"nameserver": "9.9.9.9,[2001:db8::1]:53", "timeout_seconds": 60},
            {"servers": [ENTRY], "timeout": 60, "dns": "9.9.9.9,[2001:db8::1]:53"},
            id="a name server by rust's name",
        ),
        pytest.param(
            {"users": USERS, "mode": "tcp_and_udp"},
            {"servers": [{**ENTRY, "mode": "tcp_and_udp", "users": USERS}], "timeout": 300},
            id="users, who are of one server",
        ),
        pytest.param(
            {"plugin": "p", "plugin_opts": "o"},
            {"servers": [{**ENTRY, "plugin": "p", "plugin_opts": "o"}], "timeout": 300},
            id="plugin",
        ),
        pytest.param(
            {"acl": "[white_list]"},
            {"servers": [ENTRY], "timeout": 300, "acl": "/etc/shadowsocks/ss-server-main.acl"},
            id="access list by path",
        ),
        pytest.param(
            {"ipv6_first": True}, {"servers": [ENTRY], "timeout": 300, "ipv6_first": True}, id="IPv6 before IPv4"
        ),
        pytest.param(
            {"local_address": "192.0.2.9", "reuse_port": False},
            {"servers": [ENTRY], "timeout": 300},
            id="what rust ignores, or takes for something else, is not written",
        ),
    ],
)
def test_server_of_rust(change, wanted):
    """In the keys of its config.rs."""
    assert config(SERVER, **change) == wanted


@pytest.mark.parametrize(
    ("change", "mode", "local"),
    [
        pytest.param({}, "tcp_only", {"protocol": "socks"}, id="socks"),
        pytest.param(
            {"program": "ss-redir", "mode": "tcp_and_udp"},
            "tcp_and_udp",
            {"protocol": "redir", "tcp_redir": "redirect", "udp_redir": "tproxy"},
            id="redir",
        ),
        pytest.param(
            {"program": "ss-tunnel", "tunnel_address": "[2001:db8::1]:53", "mode": "udp_only"},
            "udp_only",
            {"protocol": "tunnel", "forward_address": "2001:db8::1", "forward_port": 53},
            id="tunnel to IPv6",
        ),
        pytest.param(
            {"program": "ss-tunnel", "tunnel_address": "dns.example:53"},
            "tcp_only",
            {"protocol": "tunnel", "forward_address": "dns.example", "forward_port": 53},
            id="tunnel to a name",
        ),
    ],
)
def test_client_of_rust(change, mode, local):
    """Mode and end of the tunnel stand in the entries: elsewhere they are ignored."""
    assert config(CLIENT, **change) == {
        "servers": [{**ENTRY, "mode": mode}],
        "locals": [{**LOCAL, "mode": mode, **local}],
        "timeout": 300,
    }


def test_unit_of_rust():
    """Our name, its binary."""
    paths = {"ss-server": "/usr/local/bin/ssserver"}
    text = _service.files([SERVER], 4096, paths)[_service.unit_path("ss-server")].text
    assert "ExecStart=/usr/local/bin/ssserver -c /etc/shadowsocks/%p-%i.json\n" in text
    assert "Documentation=https://github.com/shadowsocks/shadowsocks-rust\n" in text
    assert _service.started(text.encode()) == "ssserver"
    assert _service.unit(SERVER) == "ss-server@main.service"


@pytest.mark.parametrize(("service", "found"), [({}, LIBEV), ({"implementation": "rust"}, RUST)])
def test_of(service, found):
    """A service that says nothing is libev's."""
    assert _implementations.of(service) is found


@pytest.mark.parametrize("one", _implementations.BY_NAME.values(), ids=lambda one: one.name)
def test_each(one):
    """Has a binary for every program, and is known by each of them."""
    assert set(one.binaries) == {program for side in _service.SIDES.values() for program in side}
    assert all(_implementations.behind(binary) is one for binary in one.binaries.values())
    assert set(one.key_bytes) <= set(one.methods)
    assert set(one.user_methods) <= set(one.key_bytes)
    assert _implementations.behind("haproxy") is None
