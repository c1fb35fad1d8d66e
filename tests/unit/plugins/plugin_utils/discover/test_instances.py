# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From services to instances."""

from __future__ import annotations

import re

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover import _instances
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._match import Fleet, Known
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.discover._found import (
    TUN,
    UNIT,
    client,
    look,
    server,
)

FLEET = Fleet([Known("ss1", "203.0.113.7", interfaces=("2001:db8::7",)), Known("ss2", "203.0.113.8"), Known("h")])


def adopt(*services, listed=None, servers=("ss1", "ss2"), **found):
    """What comes of a host called h."""
    return _instances.adopt("h", look(*services, **found), FLEET, servers, listed or {})


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("shadowsocks-libev.service", "shadowsocks-libev"),
        ("shadowsocks-libev-local@tun.service", "tun"),
        ("ss-server@8388.service", "8388"),
        (r"ss-server@my\x2dname.service", "my-name"),
        (r"ss-server@etc-shadowsocks-a\x20b.json.service", "etc-shadowsocks-a-b.json"),
        ("ss-server@-x_.service", "x_"),
        ("ss-server@.service", "ss-server"),
        ("ss:server.service", "ss-server"),
        (f"ss-server@{'a' * 100}.service", "a" * 64),
        ("-.service", "service"),
    ],
)
def test_name(unit, name):
    """Out of the unit, and valid."""
    assert _instances.base_name(unit) == name
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name)


def test_both_sides():
    """One instance a unit, sorted, whatever order they come in."""
    found = [
        client(),
        server("ss-server@b.service"),
        server("ss-server@a.service", pid=1),
        server("ss-server@b.service"),
    ]
    expected = {
        "server": [{"name": "a", "unit": "ss-server@a.service"}, {"name": "b", "unit": "ss-server@b.service"}],
        "client": [{"name": "tun", "unit": TUN, "server": "ss1"}],
    }
    assert adopt(*found).instances == expected == adopt(*reversed(found)).instances
    assert [row.unit for row in adopt(*found).rows] == [TUN, "ss-server@a.service", "ss-server@b.service"]


def test_nothing_else_of_a_config():
    """No port, no method, no address."""
    (one,) = adopt(server(method="aes-256-gcm", port=1234)).instances["server"]
    assert one == {"name": "shadowsocks-libev", "unit": UNIT}


def test_names_differ():
    """Units that would share a name, or have one of the inventory's, get their whole name; nothing depends on the order."""
    units = [
        "ss-server@main.service",
        "shadowsocks-libev-server@main.service",
        "a@x.service",
        "a-x.service",
        "a@used.service",
    ]
    listed = {"server": [{"name": "used"}]}
    names = {one["unit"]: one["name"] for one in adopt(*map(server, units), listed=listed).instances["server"]}
    assert names == {
        "ss-server@main.service": "ss-server-main",
        "shadowsocks-libev-server@main.service": "shadowsocks-libev-server-main",
        "a@x.service": "x",
        "a-x.service": "a-x",
        "a@used.service": "a-used",
    }


def test_names_differ_in_the_end():
    """Also where the whole names are alike."""
    units = ["a@b.service", "x@b.service", "a-b.service"]
    names = [one["name"] for one in adopt(*map(server, units)).instances["server"]]
    assert sorted(names) == ["a-b", "a-b-2", "x-b"]


def test_what_the_inventory_has_stays():
    """Name, public_address and the way the unit is written; a client's server is what was found."""
    listed = {
        "server": [{"name": "office", "unit": "shadowsocks-libev", "public_address": "203.0.113.1"}],
        "client": [{"name": "t", "unit": TUN, "server": "ss2"}],
    }
    assert adopt(server(), client(), listed=listed).instances == {
        "server": [{"name": "office", "unit": "shadowsocks-libev", "public_address": "203.0.113.1"}],
        "client": [{"name": "t", "unit": TUN, "server": "ss1"}],
    }
    listed["client"] = [{"name": "t", "unit": TUN, "server": "ss2"}]
    assert adopt(client("192.0.2.99"), listed=listed).instances["client"] == listed["client"]


def test_other_programs_of_the_inventory_stay():
    """As long as they run: any TCP server, one of another family; not what is gone."""
    listed = [
        {"name": "edge", "unit": "haproxy.service", "port": 443},
        {"name": "rust", "unit": "ssserver", "port": 8389},
        {"name": "gone", "unit": "gone.service"},
        {"name": "main", "port": 8390},
    ]
    listener = {"address": "::", "port": 443, "program": "haproxy", "unit": "haproxy.service"}
    adopted = adopt(
        server("ssserver.service", family="python", adoptable=False), listeners=[listener], listed={"server": listed}
    )
    assert adopted.instances["server"] == listed[:2]


@pytest.mark.parametrize(
    ("service", "note"),
    [
        (server(family="python", adoptable=False, why=["is a wrapper"]), "is a wrapper"),
        (server(adoptable=False, why=["several ExecStart lines"]), "several ExecStart lines"),
        (server(adoptable=False), "it cannot be adopted as it is"),
        (server("", adoptable=True), "no unit of systemd runs it"),
        (server(side=""), "whether it is a server or a client is not known"),
        (server("{{ lookup('pipe', 'id') }}.service"), "its unit's name is none that systemd takes"),
        (server("x\ny.service"), "its unit's name is none that systemd takes"),
        (server("user.slice"), "its unit's name is none that systemd takes"),
    ],
)
def test_not_adopted(service, note):
    """With the reason, once; what a host says never becomes a template."""
    adopted = adopt(service)
    assert adopted.instances == {"server": [], "client": []}
    (row,) = adopted.rows
    assert row.name == "" and row.notes.count(note) == 1


def test_one_process_of_a_unit_speaks_against_it():
    """The unit is one thing."""
    adopted = adopt(server(), server(pid=2, port=8389, adoptable=False, why=["x"]))
    assert adopted.instances["server"] == []
    (row,) = adopted.rows
    assert (row.port, row.notes) == (None, ["x", "its processes listen on the ports 8388, 8389"])
    assert adopt(server(), client(unit=UNIT)).instances == {"server": [], "client": []}


def test_said_of_an_adopted_one():
    """What must be known is no reason against it."""
    (row,) = adopt(server(why=["fast_open is in its config"])).rows
    assert (row.name, row.notes) == ("shadowsocks-libev", ["fast_open is in its config"])


SERVERS = {
    "one": (["203.0.113.7"], "ss1", ["ss1 (203.0.113.7:8388)"], ""),
    "one twice": (["203.0.113.7", "2001:db8::7"], "ss1", ["ss1 (203.0.113.7:8388)", "ss1 ([2001:db8::7]:8388)"], ""),
    "two": (
        ["203.0.113.7", "203.0.113.8"],
        None,
        ["ss1 (203.0.113.7:8388)", "ss2 (203.0.113.8:8388)"],
        "its servers are not one host: none is written",
    ),
    "one known": (
        ["203.0.113.7", "192.0.2.9"],
        None,
        ["ss1 (203.0.113.7:8388)", "192.0.2.9:8388"],
        "its servers are not one host: none is written",
    ),
    "outside": (["192.0.2.9"], None, ["192.0.2.9:8388"], ""),
}


@pytest.mark.parametrize(("addresses", "told", "shown", "note"), SERVERS.values(), ids=SERVERS)
def test_servers(addresses, told, shown, note):
    """A client's server is written where all its addresses are one host."""
    adopted = adopt(client(*addresses))
    (one,), (row,) = adopted.instances["client"], adopted.rows
    assert (one.get("server"), row.servers, row.notes) == (told, shown, [note] if note else [])


def test_a_host_without_a_server():
    """An address that it has, but nobody knows of a server there: the address is left to tell."""
    adopted = adopt(client(), servers=())
    assert "server" not in adopted.instances["client"][0]
    assert adopted.rows[0].notes == ["203.0.113.7:8388 is ss1 by ansible_host, which has no server instance"]


def test_candidates():
    """Named, with the remedy."""
    fleet = Fleet([Known("a", "203.0.113.7"), Known("b", "203.0.113.7")])
    adopted = _instances.adopt("h", look(client()), fleet, ["a", "b"], {})
    assert adopted.rows[0].notes == ["203.0.113.7:8388 could be a, b: say server, or give one public_address"]
    assert "server" not in adopted.instances["client"][0]


def test_loopback():
    """The host's own server, or another program that carries the client's traffic on."""
    adopted = adopt(client("127.0.0.1"), server(), servers=["h"])
    assert adopted.instances["client"][0]["server"] == "h"
    listener = {"address": "127.0.0.1", "port": 8388, "program": "kcptun", "unit": ""}
    adopted = adopt(client("127.0.0.1"), listeners=[listener], servers=["h"])
    assert "server" not in adopted.instances["client"][0]
    assert adopted.rows[0].notes == ["127.0.0.1:8388 is kcptun on the host itself"]


@pytest.mark.parametrize(
    ("found", "serves"),
    [
        (look(server()), True),
        (look(ours=["ss-server@main.service"]), True),
        (look(client(), ours=["ss-local@main.service"]), False),
        (look(server(family="rust")), True),
        (look(server(adoptable=False)), False),
        (look(server("")), False),
    ],
)
def test_serves(found, serves):
    """Adoptable, or ours."""
    assert _instances.serves(found) is serves


def test_address_at_which_clients_reach_a_server():
    """Where only its interfaces tell it: all of its instances say so from then on; two addresses would be a guess."""
    fleet = Fleet([Known("ss1", "203.0.113.1", interfaces=("192.0.2.1", "192.0.2.2")), Known("c1")])
    uses = {"c1": look(client(servers=[{"address": "192.0.2.1", "port": 8388}]))}
    assert _instances.reached(uses, fleet) == {"ss1": {"192.0.2.1"}}
    two = look(server(unit="ss-server@a.service"), server(unit="ss-server@b.service"))
    for addresses, told in (
        ({"192.0.2.1"}, ["192.0.2.1"] * 2),
        ({"192.0.2.1", "192.0.2.2"}, [None] * 2),
        ((), [None] * 2),
    ):
        found = _instances.adopt("ss1", two, fleet, ["ss1"], {}, addresses).instances["server"]
        assert [one.get("public_address") for one in found] == told
    listed = {"server": [{"name": "a", "unit": "ss-server@a.service", "public_address": "198.51.100.7"}]}
    first, second = _instances.adopt("ss1", two, fleet, ["ss1"], listed, {"192.0.2.1"}).instances["server"]
    assert (first["public_address"], second["public_address"]) == ("198.51.100.7", "192.0.2.1")
