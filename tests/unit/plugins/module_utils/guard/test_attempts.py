# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the guard's paired attempts go; what becomes of them is in tests/netns/test_guard.py."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _attempts, _machine


@pytest.fixture(autouse=True)
def both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's name has an address of each, IPv6 first as getaddrinfo(3) orders them."""
    found = [(socket.AF_INET6, "2001:db8::7"), (socket.AF_INET, "203.0.113.7")]
    entries = [(family, socket.SOCK_STREAM, 6, "", (address, 8388)) for family, address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given: entries)


@pytest.mark.parametrize(
    ("first", "taken"), [(False, ["203.0.113.7", "2001:db8::7"]), (True, ["2001:db8::7", "203.0.113.7"])]
)
def test_family_of_the_client(monkeypatch: pytest.MonkeyPatch, first: bool, taken: list[str]) -> None:
    """Of a name that has both, the address that the client takes comes first: another one is another path."""
    asked: list[str] = []

    def source(address: str, _port: int) -> str:
        asked.append(address)
        raise OSError("no way there")

    monkeypatch.setattr(_attempts, "_source", source)
    entry = {"servers": [["ss.example", 8388]], "ipv6_first": first}
    (target,) = _machine.targets("ss-local@main.service", entry)
    source_address, pairs = _attempts.pairs(target, 2)
    assert (asked, source_address, [pair.plain_lost for pair in pairs]) == (taken, "", [True])


def test_host_without_the_first_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has IPv6 alone is no outage: shadowsocks-rust takes the address to which there is a way."""

    def source(address: str, _port: int) -> str:
        if ":" not in address:
            raise OSError("Network is unreachable")
        return "2001:db8::1"

    monkeypatch.setattr(_attempts, "_source", source)
    (target,) = _machine.targets("ss-local@main.service", {"servers": [["ss.example", 8388]]})
    assert _attempts.pairs(target, 0) == ("2001:db8::1", [])
