# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance may say."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultedValue
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._libev import LIBEV
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    CLIENT_KEYS,
    SERVER_KEYS,
    check,
    label,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Unreadable
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
    instance, errors = check(SERVER_KEYS, SERVER_INSTANCE)
    assert errors == []
    assert {key: value for key, value in instance.items() if value is not None} == {
        **SERVER_INSTANCE,
        "state": "present",
        "mode": "tcp_only",
        "timeout_seconds": 300,
    }


def test_client_defaults():
    """ss-local on loopback."""
    instance, errors = check(CLIENT_KEYS, CLIENT_INSTANCE)
    assert errors == []
    assert (instance["program"], instance["local_address"], instance["mode"]) == ("ss-local", "127.0.0.1", "tcp_only")


@pytest.mark.parametrize(
    ("spec", "raw"),
    [
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "port": "8388"}, id="a port as text"),
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "port": 1}, id="the lowest port"),
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "port": 65535}, id="the highest port"),
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "name": "a.b-C_9"}, id="every sign of a name"),
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "name": "9" * 64}, id="the longest name"),
        pytest.param(
            SERVER_KEYS, {**SERVER_INSTANCE, "acl": None, "plugin": None, "mode": None}, id="keys without a value"
        ),
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "plugin": "obfs-server", "plugin_opts": "obfs=tls"}, id="plugin"),
        pytest.param(SERVER_KEYS, {**SERVER_INSTANCE, "workers": 64}, id="workers"),
        pytest.param(CLIENT_KEYS, OUTSIDE, id="an outside server"),
        pytest.param(
            CLIENT_KEYS,
            {**CLIENT_INSTANCE, "program": "ss-tunnel", "tunnel_address": "a.example:53"},
            id="tunnel to a name",
        ),
        pytest.param(
            CLIENT_KEYS,
            {**CLIENT_INSTANCE, "program": "ss-tunnel", "tunnel_address": "[2001:db8::1]:53"},
            id="tunnel to IPv6",
        ),
    ],
)
def test_good(spec, raw):
    """No complaint."""
    assert check(spec, raw)[1] == []


@pytest.mark.parametrize("method", LIBEV.methods)
def test_aead_methods(method):
    """Always allowed."""
    assert check(SERVER_KEYS, {**SERVER_INSTANCE, "method": method})[1] == []


@pytest.mark.parametrize("method", LIBEV.insecure_methods)
def test_stream_methods(method):
    """Only when asked for."""
    raw = {**SERVER_INSTANCE, "method": method}
    assert check(SERVER_KEYS, raw, insecure=True)[1] == []
    ((key, message),) = check(SERVER_KEYS, raw)[1]
    assert (key, "no integrity protection" in message) == ("method", True)


@pytest.mark.parametrize("keys", [SERVER_KEYS, CLIENT_KEYS])
def test_absent_needs_a_name_only(keys):
    """But what it says besides is read all the same."""
    instance, mistakes = check(keys, {"name": "old", "state": "absent"})
    assert (instance["name"], instance["state"], mistakes) == ("old", "absent", [])
    assert check(keys, {"state": "absent"})[1] == [("name", "is missing")]
    assert check(keys, {"name": "old", "state": "absent", "passwort": 1})[1][0][0] == "passwort"


def test_label():
    """By name where there is one that serves."""
    assert [label(raw, 3) for raw in ({"name": "main"}, {"name": 5}, {"name": ""}, {"name": "a\nb"}, {}, "x")] == [
        "main",
        *"33333",
    ]


SERVER_BAD = [
    ({"method": "aes-512"}, "method", "'aes-512' is unknown: use one of aes-128-gcm"),
    ({"password": None}, "password", "is missing"),
    ({"password": ""}, "password", "is empty"),
    ({"password": 0o123456}, "password", "must be text, but was read as a number: quote it"),
    ({"password": f"{MARKER}\n"}, "password", "has blanks or a line end around it"),
    ({"password": [MARKER]}, "password", "but a list"),
    ({"name": 8388}, "name", "8388 must be text, but was read as a number: quote it"),
    ({"address": ""}, "address", "is empty"),
    ({"address": "203.0.113.7:8388"}, "address", "the port 8388 belongs into a key of its own"),
    ({"public_address": "a..b"}, "public_address", "a part of the name is empty"),
    ({"port": True}, "port", "True is not a whole number from 1 to 65535"),
    ({"port": 0}, "port", "0 is not a whole number"),
    ({"port": 65536}, "port", "65536 is not a whole number"),
    ({"port": "http"}, "port", "'http' is not a whole number"),
    ({"acl": ["[white_list]"]}, "acl", "but a list"),
    ({"acl": " \n"}, "acl", "is empty"),
    ({"acl": "/etc/server.acl"}, "acl", "comes before a section"),
    ({"plugin": "p", "plugin_opts": {"key": MARKER}}, "plugin_opts", "but a mapping"),
    ({"plugin_opts": MARKER}, "plugin_opts", "is given without plugin"),
    ({"workerz": 4}, "workerz", "is unknown; did you mean workers?"),
    ({"fast_open": True}, "fast_open", "is unknown; known are name, port, method, password, address"),
    ({"workers": 0}, "workers", "0 is not a whole number from 1 to 64"),
    ({"timeout_seconds": 0}, "timeout_seconds", "0 is not a whole number from 1"),
    ({"mode": "udp"}, "mode", "'udp' is not one of tcp_only"),
    *[({"name": name}, "name", "") for name in ("", "a b", "-a", "a/b", "a@b", "../a", "ä", "a\n", "a" * 65)],
]
CLIENT_BAD = [
    ({"server": None}, "server", "is missing"),
    (
        {"server_instance": None},
        "server",
        "name the server_instance of an inventory host, or give server_port, method, password of an outside server",
    ),
    ({"password": MARKER}, "password", "comes from server_instance 'main': leave it out"),
    ({"local_port": 0}, "local_port", "0 is not a whole number"),
    ({"program": "ss-server"}, "program", "'ss-server' is not one of ss-local, ss-redir, ss-tunnel"),
    ({"program": "ss-tunnel"}, "tunnel_address", "is missing: ss-tunnel needs it (HOST:PORT)"),
    ({"tunnel_address": "a:1"}, "tunnel_address", "is for ss-tunnel, not for ss-local"),
    ({"program": "ss-tunnel", "tunnel_address": "a"}, "tunnel_address", "is not HOST:PORT"),
]
OUTSIDE_BAD = [
    ({"method": None}, "server", "or give method of an outside server"),
    ({"server_port": 70000}, "server_port", "70000 is not a whole number"),
    ({"server": "203.0.113.7:8388"}, "server", "the port 8388 belongs into a key of its own"),
    ({"server": "a b"}, "server", "is not an IPv4"),
]
BAD = [
    *((SERVER_KEYS, SERVER_INSTANCE, *row) for row in SERVER_BAD),
    *((CLIENT_KEYS, CLIENT_INSTANCE, *row) for row in CLIENT_BAD),
    *((CLIENT_KEYS, OUTSIDE, *row) for row in OUTSIDE_BAD),
]


@pytest.mark.parametrize(("keys", "base", "change", "key", "message"), BAD)
def test_bad(keys, base, change, key, message):
    """One mistake each, at its key, and never a secret."""
    mistakes = check(keys, {**base, **change})[1]
    assert [name for name, _message in mistakes] == [key]
    assert message in mistakes[0][1]
    assert MARKER not in str(mistakes)


def test_no_mapping():
    """A name alone is not an instance."""
    assert check(SERVER_KEYS, "main")[1] == [("", "is not a mapping with a name")]


@pytest.mark.parametrize(
    ("keys", "raw", "wrong"),
    [
        (SERVER_KEYS, {"name": "a", "port": 0, "method": "rc4-md5", "passwd": 1}, "method passwd password port"),
        (SERVER_KEYS, {**SERVER_INSTANCE, "port": 0, "plugin_opts": "x"}, "plugin_opts port"),
        (CLIENT_KEYS, {**CLIENT_INSTANCE, "local_port": 0, "password": "x"}, "local_port password"),
        (CLIENT_KEYS, {**OUTSIDE, "server_port": 0, "server": "a b", "method": "x"}, "method server server_port"),
        (CLIENT_KEYS, {**CLIENT_INSTANCE, "program": "ss-tunel", "tunnel_address": "a:1"}, "program"),
        (CLIENT_KEYS, {**CLIENT_INSTANCE, "program": "ss-tunnel", "mode": "x"}, "mode tunnel_address"),
        (CLIENT_KEYS, {**CLIENT_INSTANCE, "server_instance": 5}, "server_instance"),
        (SERVER_KEYS, {**SERVER_INSTANCE, "plugin": 5, "plugin_opts": "x"}, "plugin"),
    ],
)
def test_one_mistake_hides_no_other(keys, raw, wrong):
    """Nor does it make one of what is right."""
    assert sorted(key for key, _message in check(keys, raw)[1]) == wrong.split()


def test_vaulted_method_is_not_shown():
    """A password may have got there."""
    method = VaultedValue(ciphertext="$ANSIBLE_VAULT;1.1;AES256").tag(MARKER)
    ((key, message),) = check(SERVER_KEYS, {**SERVER_INSTANCE, "method": method})[1]
    assert (key, message.partition(":")[0]) == ("method", "what the vault holds is unknown")


def test_value_that_cannot_be_evaluated():
    """It is told at its key, or of the entry as a whole."""
    why = Unreadable("cannot be read: 'x' is undefined")
    raw = {**SERVER_INSTANCE, "port": 0, "password": why}
    assert sorted(check(SERVER_KEYS, raw)[1])[0] == ("password", "cannot be read: 'x' is undefined")
    assert len(check(SERVER_KEYS, raw)[1]) == 2
    assert check(SERVER_KEYS, why)[1] == [("", "cannot be read: 'x' is undefined")]


def test_all_mistakes_of_an_instance():
    """One run of the check is enough."""
    raw = {"nmae": "main", "port": 0, "password": 5, "method": "aes-256-gcm"}
    assert sorted(key for key, _message in check(SERVER_KEYS, raw)[1]) == ["name", "nmae", "password", "port"]
