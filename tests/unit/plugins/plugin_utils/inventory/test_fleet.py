# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From inventory variables to services, and every mistake on the way."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._ports import same_port
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._services import ANY_ADDRESS
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

OUTSIDE = {
    "name": "main",
    "server": "203.0.113.7",
    "server_port": 443,
    "method": "aes-256-gcm",
    "password": MARKER,
    "local_port": 1080,
}


def host(name, **variables):
    """A host of the inventory."""
    return Variables(name, {"ansible_host": "192.0.2.1", **variables})


def server(*instances, name="ss1", **variables):
    """A host with server instances."""
    return host(name, **{"ss_server_instances": list(instances), **variables})


def client(*instances, name="c1", **variables):
    """A host with client instances."""
    return host(name, ss_client_instances=list(instances), **variables)


def server_services(own):
    """Its server side."""
    return side("server", own, own.get("ss_server_instances", []), {}.get).services


def client_services(own, lookup):
    """Its client side."""
    return side("client", own, own.get("ss_client_instances", []), lookup).services


def mistakes(*hosts):
    """What is wrong with an inventory of these hosts."""
    lookup, errors = {own.host: own for own in hosts}.get, []
    for own in hosts:
        services = []
        for which in ("server", "client"):
            try:
                services += side(which, own, own.get(f"ss_{which}_instances", []), lookup).services
            except FleetError as error:
                errors += error.errors
        errors += same_port(own.host, services)
    return list(dict.fromkeys(errors))


@pytest.mark.parametrize("address", [None, "0.0.0.0", "::", "::0"])
def test_wildcards(address):
    """ss-server binds one family an address, so both are named."""
    assert server_services(server({**SERVER_INSTANCE, "address": address}))[0]["server"] == ANY_ADDRESS


def test_server_service():
    """What the modules get, and nothing that was not given."""
    raw = {
        **SERVER_INSTANCE,
        "address": "192.0.2.1",
        "acl": "[white_list]",
        "nameserver": "9.9.9.9",
        "timeout_seconds": 60,
    }
    assert server_services(server(raw)) == [
        {
            "implementation": "libev",
            "program": "ss-server",
            "name": "main",
            "instance": "main",
            "server": ["192.0.2.1"],
            "server_port": 8388,
            "reuse_port": False,
            "method": "aes-256-gcm",
            "password": MARKER,
            "mode": "tcp_only",
            "timeout_seconds": 60,
            "acl": "[white_list]",
            "nameserver": "9.9.9.9",
        }
    ]


def test_workers():
    """N services on one port."""
    services = server_services(server({**SERVER_INSTANCE, "workers": 3}))
    assert [(one["name"], one["server_port"], one["reuse_port"]) for one in services] == [
        (f"main-{n}", 8388, True) for n in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("change", "reached"),
    [
        ({}, "192.0.2.1"),
        ({"address": "::"}, "192.0.2.1"),
        ({"address": "198.51.100.5"}, "198.51.100.5"),
        ({"public_address": "vip.example"}, "vip.example"),
        ({"address": "198.51.100.5", "public_address": "vip.example"}, "vip.example"),
        ({"public_address": "[2001:db8::1]"}, "2001:db8::1"),
    ],
)
def test_client_of_an_inventory_host(change, reached):
    """Address, port, method and password come from the server's instance."""
    ss1 = server({**SERVER_INSTANCE, **change, "workers": 2})
    (service,) = client_services(client(CLIENT_INSTANCE), {"ss1": ss1}.get)
    assert service == {
        "implementation": "libev",
        "program": "ss-local",
        "name": "main",
        "instance": "main",
        "local_address": "127.0.0.1",
        "local_port": 1080,
        "mode": "tcp_only",
        "timeout_seconds": 300,
        "server": [reached],
        "server_host": "ss1",
        "server_port": 8388,
        "method": "aes-256-gcm",
        "password": MARKER,
    }


def test_client_of_an_outside_server():
    """As it says itself; no inventory host is behind it."""
    (service,) = client_services(client(OUTSIDE), lambda _name: None)
    assert (service["server"], service["server_port"], service["password"]) == (["203.0.113.7"], 443, MARKER)
    assert "server_host" not in service


def test_insecure_method_of_a_server_outside_of_the_check():
    """The server's own permission counts, also when only its clients are checked."""
    stream = {**SERVER_INSTANCE, "method": "rc4-md5"}
    for allowed, count in ((False, 1), (True, 0)):
        ss1 = server(stream, ss_server_allow_insecure_methods=allowed)
        assert len(mistakes(client(CLIENT_INSTANCE), ss1)) == count


def test_good_fleet():
    """Several of everything."""
    ss1 = server(SERVER_INSTANCE, {**SERVER_INSTANCE, "name": "web", "port": 443, "mode": "tcp_and_udp", "workers": 2})
    c1 = client(CLIENT_INSTANCE, {**CLIENT_INSTANCE, "name": "web", "server_instance": "web", "local_port": 1081})
    both = host("both", ss_server_instances=[SERVER_INSTANCE], ss_client_instances=[OUTSIDE])
    assert mistakes(ss1, c1, both) == []


OTHER = {**SERVER_INSTANCE, "name": "a"}, {**SERVER_INSTANCE, "name": "b", "port": 443}
REDIR = {**CLIENT_INSTANCE, "program": "ss-redir", "local_port": 1081}
MAIN = "c1: ss_client_instances[main]"
BAD = {
    "no mapping": ([server("x")], ["ss1: ss_server_instances[0]: is not a mapping with a name"]),
    "text": ([host("ss1", ss_server_instances="main")], ["ss1: ss_server_instances: is not a list"]),
    "mapping": ([host("c1", ss_client_instances={"a": 1})], ["c1: ss_client_instances: is not a list"]),
    "no name": (
        [server({key: value for key, value in SERVER_INSTANCE.items() if key != "name"})],
        ["ss1: ss_server_instances[0].name: is missing"],
    ),
    "stream cipher": (
        [server({**SERVER_INSTANCE, "method": "rc4-md5"})],
        ["ss1: ss_server_instances[main].method: 'rc4-md5' has no integrity protection"],
    ),
    "allowed for the other side only": (
        [client({**OUTSIDE, "method": "rc4-md5"}, ss_server_allow_insecure_methods=True)],
        [f"{MAIN}.method: 'rc4-md5' has no integrity protection"],
    ),
    "allowed by a value that is no boolean": (
        [server({**SERVER_INSTANCE, "method": "rc4-md5"}, ss_server_allow_insecure_methods="perhaps")],
        ["ss1: ss_server_instances[main].method: 'rc4-md5' has no integrity protection"],
    ),
    "same name": (
        [server(SERVER_INSTANCE, {**SERVER_INSTANCE, "port": 443})],
        ["ss1: ss_server_instances: two instances have the name 'main'"],
    ),
    "same name, one has workers": (
        [server(SERVER_INSTANCE, {**SERVER_INSTANCE, "port": 443, "workers": 2})],
        ["ss1: ss_server_instances: two instances have the name 'main'"],
    ),
    "same name, one is to go": (
        [server(SERVER_INSTANCE, {"name": "main", "state": "absent"})],
        ["ss1: ss_server_instances: two instances have the name 'main'"],
    ),
    "a name that a worker has": (
        [server({**SERVER_INSTANCE, "workers": 2}, {**SERVER_INSTANCE, "name": "main-2", "port": 443})],
        ["ss1: ss_server_instances: two instances have the name 'main-2'"],
    ),
    "same name of clients": (
        [server(SERVER_INSTANCE), client(CLIENT_INSTANCE, REDIR)],
        ["c1: ss_client_instances: two instances have the name 'main'"],
    ),
    "no such server": ([client(CLIENT_INSTANCE)], [f"{MAIN}.server: 'ss1' is no inventory host"]),
    "no such instance": (
        [server(*OTHER), client(CLIENT_INSTANCE)],
        [f"{MAIN}.server_instance: server ss1 has no instance 'main' (it has: a, b)"],
    ),
    "no instance at all": (
        [host("ss1"), client(CLIENT_INSTANCE)],
        [f"{MAIN}.server_instance: server ss1 has no instance 'main' (it has: none in the inventory)"],
    ),
    "the server's instance is to go": (
        [server({**SERVER_INSTANCE, "state": "absent"}), client(CLIENT_INSTANCE)],
        [f"{MAIN}.server_instance: instance 'main' of server ss1 is absent"],
    ),
    "the server's are no list": (
        [host("ss1", ss_server_instances=5), client(CLIENT_INSTANCE)],
        ["ss1: ss_server_instances: is not a list", f"{MAIN}.server_instance: server ss1 has no instance 'main'"],
    ),
    "the server's mistake is told once": (
        [server({**SERVER_INSTANCE, "port": 0}), client(CLIENT_INSTANCE)],
        ["ss1: ss_server_instances[main].port: 0 is not a whole number from 1 to 65535"],
    ),
    "the server's address is none": (
        [server(SERVER_INSTANCE, name="ss1", ansible_host="a b"), client(CLIENT_INSTANCE)],
        [f"{MAIN}: ansible_host of server ss1: 'a b' is not an IPv4 or IPv6 address or a host name"],
    ),
}


@pytest.mark.parametrize(("hosts", "expected"), BAD.values(), ids=BAD)
def test_bad(hosts, expected):
    """Each mistake with its host and variable, once, and without a secret."""
    found = mistakes(*hosts)
    assert len(found) == len(expected)
    for line, start in zip(found, expected):
        assert line.startswith(start)
    assert MARKER not in "\n".join(found)


def test_all_mistakes_of_all_hosts():
    """One run of the check is enough to mend the inventory."""
    bad = {**SERVER_INSTANCE, "port": 0, "passwd": MARKER}
    hosts = [
        server(bad),
        server({**SERVER_INSTANCE, "method": "x"}, name="ss2"),
        client(CLIENT_INSTANCE, {**CLIENT_INSTANCE, "local_port": 0}),
    ]
    found = mistakes(*hosts)
    assert {line.split(":")[0] for line in found} == {"ss1", "ss2", "c1"}
    assert MARKER not in "\n".join(found)
    with pytest.raises(FleetError) as caught:
        server_services(hosts[0])
    assert MARKER not in str(caught.value)


A, B = {**SERVER_INSTANCE, "name": "a"}, {**SERVER_INSTANCE, "name": "b"}
LOCAL_A, LOCAL_B = {**OUTSIDE, "name": "a"}, {**OUTSIDE, "name": "b"}


@pytest.mark.parametrize(
    ("servers", "clients", "clash"),
    [
        pytest.param([A, B], [], ["tcp"], id="two wildcards"),
        pytest.param([A, {**B, "address": "192.0.2.1"}], [], ["tcp"], id="wildcard and address"),
        pytest.param([{**A, "address": "192.0.2.1"}, {**B, "address": "192.0.2.2"}], [], [], id="two addresses"),
        pytest.param([{**A, "address": "192.0.2.1"}, {**B, "address": "192.0.2.1"}], [], ["tcp"], id="same address"),
        pytest.param([A, {**B, "mode": "udp_only"}], [], [], id="one TCP, one UDP"),
        pytest.param([A, {**B, "mode": "tcp_and_udp"}], [], ["tcp"], id="TCP and both"),
        pytest.param(
            [{**A, "mode": "tcp_and_udp"}, {**B, "mode": "tcp_and_udp"}], [], ["tcp", "udp"], id="both and both"
        ),
        pytest.param([{**A, "workers": 3}], [], [], id="workers of one instance"),
        pytest.param([{**A, "workers": 2}, B], [], ["tcp", "tcp"], id="workers and another instance"),
        pytest.param([{**A, "workers": 2}, {**B, "workers": 2}], [], ["tcp"] * 4, id="workers of two instances"),
        pytest.param([], [LOCAL_A, LOCAL_B], ["tcp"], id="two clients"),
        pytest.param([], [LOCAL_A, {**LOCAL_B, "local_address": "0.0.0.0"}], ["tcp"], id="client on every address"),
        pytest.param([], [LOCAL_A, {**LOCAL_B, "local_address": "127.0.0.2"}], [], id="two addresses of clients"),
        pytest.param([], [LOCAL_A, {**LOCAL_B, "local_port": 1081}], [], id="two ports"),
        pytest.param([A], [{**LOCAL_B, "local_port": 8388}], ["tcp"], id="server and client"),
        pytest.param(
            [{**A, "address": "192.0.2.1"}], [{**LOCAL_B, "local_port": 8388}], [], id="server and client apart"
        ),
    ],
)
def test_ports(servers, clients, clash):
    """Two that would listen on the same address, port and protocol."""
    found = mistakes(host("h", ss_server_instances=servers, ss_client_instances=clients))
    assert all(" both want port " in line and line.startswith("h: ss-") for line in found)
    assert [line.rpartition("/")[2].partition(":")[0] for line in found] == clash


def test_instances_that_are_to_go():
    """They need no more than a name, and are no services."""
    own = server(SERVER_INSTANCE, {"name": "old", "state": "absent"})
    found = side("server", own, own.get("ss_server_instances"), {}.get)
    assert ([one["name"] for one in found.services], found.absent) == (["main"], ["old"])
    found = side("server", own, own.get("ss_server_instances"), {}.get, gone=True)
    assert (found.services, found.absent) == ([], ["main", "old"])
