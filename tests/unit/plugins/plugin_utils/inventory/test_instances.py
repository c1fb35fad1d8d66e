# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance may say."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    AEAD_METHODS,
    CLIENT_SPEC,
    SERVER_SPEC,
    STREAM_METHODS,
    check,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

OUTSIDE = {
    "name": "main",
    "server": "203.0.113.7",
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": MARKER,
    "local_port": 1080,
}


def test_server_defaults():
    """A short instance is complete; what was not given stays open."""
    instance, errors = check(SERVER_SPEC, SERVER_INSTANCE)
    assert errors == []
    assert {key: value for key, value in instance.items() if value is not None} == {
        **SERVER_INSTANCE,
        "mode": "tcp_only",
        "workers": 1,
        "timeout_seconds": 300,
    }


def test_client_defaults():
    """ss-local on loopback."""
    instance, errors = check(CLIENT_SPEC, CLIENT_INSTANCE)
    assert errors == []
    assert (instance["program"], instance["local_address"], instance["mode"]) == ("ss-local", "127.0.0.1", "tcp_only")


@pytest.mark.parametrize(
    ("spec", "raw"),
    [
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "port": "8388"}, id="a port as text"),
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "port": 1}, id="the lowest port"),
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "port": 65535}, id="the highest port"),
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "name": "a.b-C_9"}, id="every sign of a name"),
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "name": "9" * 64}, id="the longest name"),
        pytest.param(
            SERVER_SPEC, {**SERVER_INSTANCE, "acl": None, "plugin": None, "mode": None}, id="keys without a value"
        ),
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "plugin": "obfs-server", "plugin_opts": "obfs=tls"}, id="plugin"),
        pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "workers": 64}, id="workers"),
        pytest.param(CLIENT_SPEC, OUTSIDE, id="an outside server"),
        pytest.param(
            CLIENT_SPEC,
            {**CLIENT_INSTANCE, "program": "ss-tunnel", "tunnel_address": "a.example:53"},
            id="tunnel to a name",
        ),
        pytest.param(
            CLIENT_SPEC,
            {**CLIENT_INSTANCE, "program": "ss-tunnel", "tunnel_address": "[2001:db8::1]:53"},
            id="tunnel to IPv6",
        ),
    ],
)
def test_good(spec, raw):
    """No complaint."""
    assert check(spec, raw)[1] == []


@pytest.mark.parametrize("method", AEAD_METHODS)
def test_aead_methods(method):
    """Always allowed."""
    assert check(SERVER_SPEC, {**SERVER_INSTANCE, "method": method})[1] == []


@pytest.mark.parametrize("method", STREAM_METHODS)
def test_stream_methods(method):
    """Only when asked for."""
    raw = {**SERVER_INSTANCE, "method": method}
    assert check(SERVER_SPEC, raw, insecure=True)[1] == []
    assert "no integrity protection" in check(SERVER_SPEC, raw)[1][0]


def without(raw, key):
    """The instance without a key."""
    return {name: value for name, value in raw.items() if name != key}


BAD = [
    pytest.param(SERVER_SPEC, "main", "is not a mapping with a name", id="no mapping"),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "method": "aes-512"}, "unknown method 'aes-512', use one of", id="method"
    ),
    pytest.param(
        SERVER_SPEC, without(SERVER_INSTANCE, "password"), "missing required arguments: password", id="no password"
    ),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "password": None}, "missing required arguments: password", id="null password"
    ),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "password": ""}, "password is empty", id="empty password"),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "address": ""}, "address is empty", id="empty address"),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "port": True}, "port must be a number, not True", id="port yes"),
    pytest.param(
        SERVER_SPEC,
        {**SERVER_INSTANCE, "password": [MARKER]},
        "password must be text, not a list",
        id="password as a list",
    ),
    pytest.param(
        SERVER_SPEC,
        {**SERVER_INSTANCE, "acl": ["[white_list]"]},
        "acl must be text, not a list",
        id="access list as a list",
    ),
    pytest.param(
        SERVER_SPEC,
        {**SERVER_INSTANCE, "plugin": "p", "plugin_opts": {"key": MARKER}},
        "plugin_opts must be text, not a mapping",
        id="options as a mapping",
    ),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "port": 0}, "port 0 is not between 1 and 65535", id="port 0"),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "port": 65536}, "port 65536 is not between 1 and 65535", id="port too high"
    ),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "port": "http"}, "'port' is of type str and we were unable", id="port name"
    ),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "workerz": 4}, "unknown key workerz. Supported", id="unknown key"),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "fast_open": True}, "unknown key fast_open", id="the role decides this"
    ),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "workers": 0}, "workers 0 is not between 1 and 64", id="no worker"),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "workers": 65}, "workers 65 is not between", id="too many workers"),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "timeout_seconds": 0}, "timeout_seconds 0 is not positive", id="time-out"
    ),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "mode": "udp"}, "value of mode must be one of", id="mode"),
    pytest.param(SERVER_SPEC, {**SERVER_INSTANCE, "acl": " \n"}, "acl is empty", id="empty access list"),
    pytest.param(
        SERVER_SPEC, {**SERVER_INSTANCE, "plugin_opts": MARKER}, "plugin_opts is given without plugin", id="options"
    ),
    *[
        pytest.param(
            SERVER_SPEC, {**SERVER_INSTANCE, "name": name}, "it becomes a systemd instance", id=f"name {name!r}"
        )
        for name in ("", "a b", "-a", "a/b", "a@b", "../a", "ä", "a\n", "a" * 65)
    ],
    pytest.param(CLIENT_SPEC, without(CLIENT_INSTANCE, "server"), "missing required arguments: server", id="no server"),
    pytest.param(
        CLIENT_SPEC,
        without(CLIENT_INSTANCE, "server_instance"),
        "name the server_instance of an inventory host, or give server_port, method, password",
        id="neither inside nor outside",
    ),
    pytest.param(
        CLIENT_SPEC, without(OUTSIDE, "method"), "or give method of an outside server", id="outside, not complete"
    ),
    pytest.param(
        CLIENT_SPEC,
        {**CLIENT_INSTANCE, "password": MARKER, "method": "aes-256-gcm"},
        "method, password come(s) from server_instance 'main': leave out",
        id="both inside and outside",
    ),
    pytest.param(CLIENT_SPEC, {**OUTSIDE, "server_port": 70000}, "server_port 70000 is not between", id="server port"),
    pytest.param(CLIENT_SPEC, {**CLIENT_INSTANCE, "local_port": 0}, "local_port 0 is not between", id="local port"),
    pytest.param(
        CLIENT_SPEC, {**CLIENT_INSTANCE, "program": "ss-server"}, "value of program must be one of", id="program"
    ),
    pytest.param(
        CLIENT_SPEC,
        {**CLIENT_INSTANCE, "program": "ss-tunnel"},
        "ss-tunnel needs tunnel_address (host:port)",
        id="tunnel",
    ),
    pytest.param(
        CLIENT_SPEC,
        {**CLIENT_INSTANCE, "tunnel_address": "a:1"},
        "tunnel_address is for ss-tunnel, not for ss-local",
        id="tunnel address without a tunnel",
    ),
    *[
        pytest.param(
            CLIENT_SPEC,
            {**CLIENT_INSTANCE, "program": "ss-tunnel", "tunnel_address": address},
            "is not host:port",
            id=f"tunnel to {address!r}",
        )
        for address in ("a", "a:", ":1", "a:0", "a:65536", "2001:db8::1:53", "a b:1")
    ],
]


@pytest.mark.parametrize(("spec", "raw", "message"), BAD)
def test_bad(spec, raw, message):
    """One complaint that says what is wrong, and shows no secret."""
    _instance, errors = check(spec, raw)
    assert len(errors) == 1
    assert message in errors[0]
    assert MARKER not in errors[0]


def test_every_mistake_is_named():
    """Not only the first."""
    _instance, errors = check(SERVER_SPEC, {**SERVER_INSTANCE, "port": 0, "workers": 0, "method": "x", "password": ""})
    assert len(errors) == 4
