# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances that adopt a service of somebody else: what they may say, and what their hosts are told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, Side, side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    CLIENT_KEYS,
    SERVER_KEYS,
    check,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

UNIT = "shadowsocks-libev.service"
OFFICE = {"name": "office", "unit": UNIT}
KEYS = {"server": SERVER_KEYS, "client": CLIENT_KEYS}


def fleet(which: str, *instances: Any, gone: bool = False, **others: Variables) -> Side:
    """A side of host h, beside others."""
    own = Variables("h", {f"ss_{which}_instances": list(instances)})
    return side(which, own, list(instances), {"h": own, **others}.get, gone)


def errors(which: str, *instances: Any, **others: Variables) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(FleetError) as error:
        fleet(which, *instances, **others)
    assert MARKER not in str(error.value)
    return error.value.errors


@pytest.mark.parametrize("which", ["server", "client"])
@pytest.mark.parametrize(
    ("unit", "read"),
    [
        (UNIT, UNIT),
        ("haproxy", "haproxy.service"),
        ("shadowsocks-libev-local@tun", "shadowsocks-libev-local@tun.service"),
        ("ss@a.b", "ss@a.b.service"),
        (r"ss@a\x2db.service", r"ss@a\x2db.service"),
    ],
)
def test_unit(which: str, unit: str, read: str) -> None:
    """The suffix may be left out."""
    instance, mistakes = check(KEYS[which], {"name": "office", "unit": unit})
    assert (instance["unit"], mistakes) == (read, [])


@pytest.mark.parametrize(
    "unit",
    [
        "ss.socket",
        "ss@tun.timer",
        "ss@",
        "ss@.service",
        "@tun",
        "a b",
        "a/b.service",
        "",
        "a@b@c",
        "a\n",
        "{{ x }}",
        7,
        ["a"],
        "é",
    ],
)
def test_no_unit(unit: Any) -> None:
    """A template needs its instance."""
    _instance, mistakes = check(SERVER_KEYS, {"name": "office", "unit": unit})
    assert [key for key, _message in mistakes] == ["unit"]


@pytest.mark.parametrize(
    ("which", "more", "key", "message"),
    [
        ("server", {"password": MARKER}, "password", "is its owner's"),
        ("server", {"method": "aes-256-gcm"}, "method", "is its owner's"),
        ("server", {"workers": 2}, "workers", "is its owner's"),
        ("client", {"local_port": 1080}, "local_port", "is its owner's"),
        ("client", {"server_instance": "main"}, "server_instance", "is its owner's"),
        ("client", {"port": 443}, "port", "is unknown"),
        ("client", {"public_address": "192.0.2.1"}, "public_address", "is unknown"),
        ("server", {"server": "ss1"}, "server", "is unknown"),
        ("server", {"prot": 443}, "prot", "is unknown"),
        ("server", {"port": 0}, "port", "0"),
        ("server", {"port": "https"}, "port", "https"),
        ("server", {"state": "absent"}, "state", "absent"),
        ("server", {"name": None}, "name", "is missing"),
        ("server", {"name": "a b"}, "name", "a b"),
        ("server", {"public_address": "a b"}, "public_address", "a b"),
    ],
)
def test_other_keys(which: str, more: dict[str, Any], key: str, message: str) -> None:
    _instance, mistakes = check(KEYS[which], {**OFFICE, **more})
    assert [(name, message in text) for name, text in mistakes] == [(key, True)]
    assert MARKER not in str(mistakes)


def test_keys_without_a_value() -> None:
    """Count as left out; ``unit`` too, and then the instance is one of ours."""
    assert check(SERVER_KEYS, {**OFFICE, "port": None, "public_address": None, "state": None})[1] == []
    assert check(SERVER_KEYS, {**SERVER_INSTANCE, "unit": None})[1] != []


def test_what_hosts_are_told() -> None:
    """Neither defaults nor what the controller alone needs."""
    edge = {"name": "edge", "unit": "haproxy", "port": "443", "public_address": "192.0.2.9"}
    found = fleet("server", OFFICE, edge, {**SERVER_INSTANCE, "name": "main"})
    assert found.adopted == [OFFICE, {"name": "edge", "unit": "haproxy.service", "port": 443}]
    assert [service["name"] for service in found.services] == ["main"] and found.absent == []


def test_server_of_a_client() -> None:
    """An inventory host; without one nothing is told of it."""
    tun = {"name": "tun", "unit": "ss@tun"}
    told = {"name": "tun", "unit": "ss@tun.service"}
    assert fleet("client", tun).adopted == [{**told, "server_hosts": {}}]
    assert fleet("client", {**tun, "server": "ss1"}, ss1=Variables("ss1", {})).adopted == [
        {**told, "server_host": "ss1"}
    ]
    assert errors("client", {**tun, "server": "203.0.113.7"}) == [
        "h: ss_client_instances[tun].server: '203.0.113.7' is no inventory host; leave it out, the address is read on"
        " the host"
    ]


@pytest.mark.parametrize("unit", [UNIT, "shadowsocks-libev"])
def test_two_instances_of_one_unit(unit: str) -> None:
    assert errors("server", OFFICE, {"name": "other", "unit": unit}) == [
        f"h: ss_server_instances: two instances adopt {UNIT}: keep one of them"
    ]


def test_two_instances_of_one_name() -> None:
    """An adopted one and one of ours have names of one kind."""
    (error,) = errors("server", OFFICE, {**SERVER_INSTANCE, "name": "office"})
    assert "two instances have the name 'office'" in error


def test_our_client_of_an_adopted_server() -> None:
    """The password is on the server's host alone, so it has to be given."""
    ss1 = Variables("ss1", {"ss_server_instances": [OFFICE]})
    (error,) = errors("client", {**CLIENT_INSTANCE, "server_instance": "office"}, ss1=ss1)
    assert error == (
        "h: ss_client_instances[main].server_instance: 'office' of server ss1 is adopted, and its password stays on its"
        " host: give server (its address), server_port, method and password"
    )


def test_absent() -> None:
    """Nothing of somebody else's is ever taken away: not by itself, and not where all instances are to go."""
    (error,) = errors("server", {**OFFICE, "state": "absent"})
    assert "ss_server_instances[office].state: 'absent'" in error
    found = fleet("server", OFFICE, SERVER_INSTANCE, gone=True)
    assert (found.services, found.absent, found.adopted) == ([], ["main"], [])
