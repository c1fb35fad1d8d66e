# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inventory host an address in a config is."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._addresses import normal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._match import Fleet, Known, Match

FLEET = Fleet(
    [
        Known("ss1", "203.0.113.7"),
        Known("ss2", "jump.example.org", public=("203.0.113.8", "vpn.example.org")),
        Known("203.0.113.9"),
        Known("ss4.example.org", interfaces=("198.51.100.4", "2001:db8::4", "172.17.0.1", "fe80::1")),
        Known("ss5", "203.0.113.50", interfaces=("172.17.0.1", "203.0.113.50")),
        Known("nat1", "203.0.113.60"),
        Known("nat2", "203.0.113.60"),
        Known("bastion", "203.0.113.8"),
        Known("c1", interfaces=("192.168.1.10",)),
        Known("c2", "127.0.0.1", interfaces=("192.168.1.10",)),
    ]
)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("203.0.113.7", "ss1"),
        ("::ffff:203.0.113.7", "ss1"),
        ("vpn.example.org", "ss2"),
        ("203.0.113.9", "203.0.113.9"),
        ("SS4.example.org.", "ss4.example.org"),
        ("198.51.100.4", "ss4.example.org"),
        ("2001:DB8:0::4", "ss4.example.org"),
        ("[2001:db8::4]", "ss4.example.org"),
        ("203.0.113.50", "ss5"),
        ("ss1", "ss1"),
        ("jump.example.org", "ss2"),
        ("127.0.0.1", "c1"),
        ("::1", "c1"),
        ("localhost", "c1"),
        ("0.0.0.0", "c1"),
        ("192.168.1.10", "c1"),
    ],
)
def test_one(address, host):
    """By name, ansible_host, public_address, interface; a host's own addresses are itself, also where another has them."""
    match = FLEET.match(address, "c1")
    assert (match.host, match.candidates) == (host, ())
    assert match.by


def test_public_address_is_an_operators_word():
    """The address is the bastion's ansible_host as well."""
    assert FLEET.match("203.0.113.8", "c1") == Match("ss2", "public_address")


@pytest.mark.parametrize(
    ("address", "candidates"),
    [
        ("203.0.113.60", ("nat1", "nat2")),
        ("172.17.0.1", ("ss4.example.org", "ss5")),
        ("192.0.2.99", ()),
        ("elsewhere.example.org", ()),
        ("fe80::1", ()),
        ("fe80::1%eth0", ()),
        ("", ()),
    ],
)
def test_none(address, candidates):
    """Several fit, or nobody; a link's own address means nothing on another host."""
    assert FLEET.match(address, "c1") == Match(None, "", candidates)


def test_several_public_addresses():
    """A VIP: both are candidates."""
    fleet = Fleet([Known("a", public=("203.0.113.1",)), Known("b", public=("203.0.113.1",)), Known("c", "203.0.113.1")])
    assert fleet.match("203.0.113.1", "c1").candidates == ("a", "b")


def test_nothing_is_resolved(monkeypatch):
    """Not even a name that would be there."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: pytest.fail("resolved"))
    assert FLEET.match("elsewhere.example.org", "c1").host is None


def test_loopback_names_nobody_else():
    """c2 is reached at 127.0.0.1 by the controller; that is no address of it for others."""
    assert FLEET.match("127.0.0.1", "ss1").host == "ss1"
    assert normal(" [::FFFF:192.0.2.1] ") == "192.0.2.1"


def test_addresses_of_one_host_each():
    """Those that mean the host itself wherever they are used lead nowhere, and what two hosts have is nobody's."""
    fleet = Fleet(
        [Known("a", "127.0.0.1", ("192.0.2.1",), ("192.0.2.9",)), Known("b", "192.0.2.2", (), ("192.0.2.9",))]
    )
    assert fleet.addresses() == {"a": "a", "192.0.2.1": "a", "192.0.2.2": "b", "b": "b"}
