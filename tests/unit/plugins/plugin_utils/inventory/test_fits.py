# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an implementation makes of an instance, and of a client of somebody else's server."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

KEY16, USER16 = "AAECAwQFBgcICQoLDA0ODw==", "Dw4NDAsKCQgHBgUEAwIBAA=="
KEY32 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
M128, M256, CHACHA = "2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305"
USERS = [{"name": "ann", "password": USER16}]
OUTSIDE = {"name": "main", "server": "203.0.113.7", "server_port": 443, "local_port": 1080}


def host(name, implementation, **variables):
    """A host that runs this implementation."""
    return Variables(name, {"ansible_host": "192.0.2.1", "shadowsocks_implementation": implementation, **variables})


def servers(implementation, **change):
    """The services of a server."""
    return side("server", host("ss1", implementation), [{**SERVER_INSTANCE, **change}], {}.get).services


def clients(implementation, instance, server=None):
    """The service of a client."""
    return side("client", host("c1", implementation), [instance], {"ss1": server}.get).services


def refused(call, *arguments, **change):
    """The one line of the refusal, without a secret."""
    with pytest.raises(FleetError) as error:
        call(*arguments, **change)
    (line,) = error.value.errors
    assert not [secret for secret in (MARKER, KEY16, USER16, KEY32, KEY16[:10]) if secret in line]
    return line.partition(": ")[2]


@pytest.mark.parametrize(
    ("implementation", "change", "message"),
    [
        (
            "libev",
            {"method": M128, "password": KEY16},
            "method: '2022-blake3-aes-128-gcm' is of shadowsocks-rust, not of",
        ),
        (
            "rust",
            {"method": "xchacha20-ietf-poly1305"},
            "method: 'xchacha20-ietf-poly1305' is of shadowsocks-libev, not",
        ),
        ("rust", {"method": "rc4-md5"}, "method: 'rc4-md5' is of shadowsocks-libev, not of shadowsocks-rust"),
        ("rust", {"method": "rot13"}, "method: 'rot13' is unknown: use one of 2022-blake3-aes-128-gcm"),
        (
            "rust",
            {"method": M128},
            "password: must be a key of 16 bytes in base64 for 2022-blake3-aes-128-gcm: openssl",
        ),
        ("rust", {"method": M128, "password": KEY32}, "password: must be a key of 16 bytes"),
        ("rust", {"method": M256, "password": KEY16}, "password: must be a key of 32 bytes"),
        ("rust", {"method": CHACHA, "password": KEY16}, "password: must be a key of 32 bytes"),
        ("rust", {"method": M128, "password": KEY16.rstrip("=")}, "password: must be a key of 16 bytes"),
        ("rust", {"method": M128, "password": "AAECAwQFBgcICQoLDA0ODx=="}, "password: must be a key of 16 bytes"),
        ("rust", {"method": M128, "password": f"{KEY16}:{USER16}"}, "password: must be a key of 16 bytes"),
        ("rust", {"password": "${SECRET}"}, "password: ${…} is a variable of the environment for shadowsocks-rust"),
        (
            "libev",
            {"users": USERS},
            "users: shadowsocks-libev has one password a server with aes-256-gcm; several users",
        ),
        ("rust", {"users": USERS}, "users: shadowsocks-rust has one password a server with aes-256-gcm; several users"),
        ("rust", {"method": CHACHA, "password": KEY32, "users": USERS}, "users: shadowsocks-rust has one password"),
        (
            "rust",
            {"method": M256, "password": KEY32, "users": USERS},
            "users: the password of ann must be a key of 32 bytes in base64",
        ),
        ("rust", {"method": M128, "password": KEY16, "users": []}, "users: is empty: give a list of users"),
        ("rust", {"method": M128, "password": KEY16, "users": USERS * 2}, "users: name 'ann' is there twice"),
        (
            "rust",
            {"method": M128, "password": KEY16, "users": [{"name": "ann"}]},
            "users: entry 0 is not a mapping with",
        ),
        (
            "rust",
            {"method": M128, "password": KEY16, "users": [{"name": "ann", "password": 1}]},
            "users: entry 0: must be text, but was read as a number: quote it",
        ),
    ],
)
def test_server_that_cannot_work(implementation, change, message):
    """Before any host is touched; rust itself would ignore some of it."""
    assert refused(servers, implementation, **change).startswith(f"ss_server_instances[main].{message}")


@pytest.mark.parametrize(
    "change",
    [
        {"method": M128, "password": KEY16},
        {"method": M128, "password": KEY16, "users": USERS},
        {"method": M256, "password": KEY32},
        {"method": CHACHA, "password": KEY32},
        {"method": "chacha20-ietf-poly1305"},
        {"password": "a:b"},
    ],
)
def test_server_of_rust(change):
    """A key of the right length, or any password."""
    (service,) = servers("rust", **change)
    assert service["implementation"] == "rust"
    assert {key: service[key] for key in change} == change


@pytest.mark.parametrize(
    ("implementation", "workers", "names", "told"),
    [
        ("libev", None, ["main"], None),
        ("libev", 2, ["main-1", "main-2"], None),
        ("rust", None, ["main"], None),
        ("rust", 1, ["main"], 1),
        ("rust", 4, ["main"], 4),
    ],
)
def test_workers(implementation, workers, names, told):
    """Processes on one port, or the threads of one."""
    services = servers(implementation, workers=workers)
    assert [one["name"] for one in services] == names
    assert {one.get("workers") for one in services} == {told}
    assert {one["reuse_port"] for one in services} == {len(names) > 1}


@pytest.mark.parametrize(
    ("implementation", "address", "bound"),
    [
        ("libev", "0.0.0.0", ["::", "0.0.0.0"]),
        ("rust", "0.0.0.0", ["0.0.0.0"]),
        ("rust", None, ["::", "0.0.0.0"]),
        ("rust", "::", ["::", "0.0.0.0"]),
        ("rust", "192.0.2.1", ["192.0.2.1"]),
    ],
)
def test_bound(implementation, address, bound):
    """Rust does not start where it cannot bind one of its addresses."""
    assert servers(implementation, address=address)[0]["server"] == bound


def server(implementation="rust", **change):
    """A host with a server of 2022."""
    instance = {**SERVER_INSTANCE, "method": M128, "password": KEY16, **change}
    return host("ss1", implementation, ss_server_instances=[instance])


@pytest.mark.parametrize(
    ("change", "more", "password"),
    [
        ({}, {}, KEY16),
        ({"users": USERS}, {"user": "ann"}, f"{KEY16}:{USER16}"),
    ],
)
def test_client_of_rust(change, more, password):
    """Its password is the server's key, and its user's where there are users."""
    (service,) = clients("rust", {**CLIENT_INSTANCE, **more}, server(**change))
    assert (service["method"], service["password"], service["implementation"]) == (M128, password, "rust")


@pytest.mark.parametrize(
    ("implementation", "on_server", "more", "message"),
    [
        ("libev", {}, {}, "server_instance: method of the server: '2022-blake3-aes-128-gcm' is of shadowsocks-rust"),
        ("rust", {"users": USERS}, {}, "user: is missing for 'main', which has users: take one of ann"),
        ("rust", {"users": USERS}, {"user": "bob"}, "user: 'bob' for 'main', which has users: take one of ann"),
        ("rust", {}, {"user": "ann"}, "user: 'ann' for 'main', which has none: leave it out"),
    ],
)
def test_client_that_cannot_work(implementation, on_server, more, message):
    """The line names the client."""
    line = refused(clients, implementation, {**CLIENT_INSTANCE, **more}, server(**on_server))
    assert line.startswith(f"ss_client_instances[main].{message}")


def test_client_that_would_read_its_environment():
    """A password that is none for libev."""
    ss1 = server("libev", method="aes-256-gcm", password="${HOME}")
    assert "password of the server: ${…} is a variable" in refused(clients, "rust", CLIENT_INSTANCE, ss1)


@pytest.mark.parametrize(
    ("method", "password", "message"),
    [
        (M128, f"{KEY16}:{USER16}", None),
        (M128, USER16, None),
        (M128, f"{KEY16}:{KEY32}", "password: must be a key of 16 bytes"),
        (CHACHA, f"{KEY32}:{KEY32}", "password: must be a key of 32 bytes"),
    ],
)
def test_client_of_an_outside_server(method, password, message):
    """Keys with colons between them, where there may be users."""
    instance = {**OUTSIDE, "method": method, "password": password}
    if message is None:
        assert clients("rust", instance)[0]["password"] == password
    else:
        assert refused(clients, "rust", instance).startswith(f"ss_client_instances[main].{message}")


def test_user_of_an_outside_server():
    """There is no instance that has it."""
    instance = {**OUTSIDE, "method": M128, "password": KEY16, "user": "ann"}
    assert "user: is of a server_instance" in refused(clients, "rust", instance)
