# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and names."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import (
    Address,
    HostPort,
    NameServers,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::", "::"),
        ("ss1.example.org", "ss1.example.org"),
        ("ss1.example.org.", "ss1.example.org."),
        ("under_score", "under_score"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("4you.example", "4you.example"),
    ],
)
def test_address(value, read):
    """Brackets are taken off (field: B7)."""
    assert Address().read(value) == read


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("203.0.113.7:8388", "the port 8388 belongs into a key of its own"),
        ("[2001:db8::1]:8388", "the port 8388 belongs into a key of its own"),
        ("ss1.example:443", "the port 443 belongs into a key of its own"),
        ("a..b", "a part of the name is empty"),
        (".a", "a part of the name is empty"),
        ("fe80::1%eth0", "a scope"),
        ("203.0.113", "is not an IPv4 or IPv6 address or a host name"),
        ("203.0.113.256", "is not an IPv4"),
        ("[203.0.113.7]", "is not an IPv4"),
        ("a b", "is not an IPv4"),
        (" a", "has blanks or a line end around it"),
        ("a\n", "has blanks or a line end around it"),
        ("-a", "is not an IPv4"),
        ("http://a", "is not an IPv4"),
        ("a" * 64, "is not an IPv4"),
        ("ä.example", "is not an IPv4"),
        ("", "is empty"),
        (203, "quote it"),
    ],
)
def test_no_address(value, message):
    """With the remedy where it is known."""
    with pytest.raises(Wrong) as caught:
        Address().read(value)
    assert message in str(caught.value)


def test_no_name():
    """Where only an address serves."""
    assert Address(names=False).read("::1") == "::1"
    with pytest.raises(Wrong, match="is not an IPv4 or IPv6 address, without a port"):
        Address(names=False).read("localhost")


@pytest.mark.parametrize(
    ("value", "read"),
    [("a.example:53", "a.example:53"), ("[2001:DB8::1]:53", "[2001:db8::1]:53"), ("192.0.2.1:053", "192.0.2.1:53")],
)
def test_host_and_port(value, read):
    """Of a tunnel."""
    assert HostPort().read(value) == read


@pytest.mark.parametrize(
    "value", ["a", "a:", ":1", "a:0", "a:65536", "2001:db8::1:53", "a b:1", "[a]:1", "a..b:1", "a:٣", "a:1:2"]
)
def test_no_host_and_port(value):
    """The form is said."""
    with pytest.raises(Wrong, match=r"is not HOST:PORT or \[IPv6\]:PORT"):
        HostPort().read(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("9.9.9.9", "9.9.9.9"),
        ("9.9.9.9, 2001:db8::1", "9.9.9.9,2001:db8::1"),
        ("127.0.0.1:5353,[::1]:53", "127.0.0.1:5353,[::1]:53"),
    ],
)
def test_name_servers(value, expected):
    """Addresses, perhaps with a port."""
    assert NameServers().read(value) == expected


@pytest.mark.parametrize(
    "value", ["dns.example", "9.9.9.9 1.1.1.1", "9.9.9.9,", "localhost:53", "https://dns.example/q"]
)
def test_no_name_server(value):
    """A name needs a name server itself."""
    with pytest.raises(Wrong, match="is no address: give addresses of name servers"):
        NameServers().read(value)
