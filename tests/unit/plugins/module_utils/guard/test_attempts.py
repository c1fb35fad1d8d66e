# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the guard's paired attempts go; what becomes of them is in tests/netns/test_guard.py."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _attempts, _machine


@pytest.mark.parametrize(("first", "taken"), [(False, "203.0.113.7"), (True, "2001:db8::7")])
def test_family_of_the_client(monkeypatch: pytest.MonkeyPatch, first: bool, taken: str) -> None:
    """Of a name that has both, the address that the client takes: another one is another path."""
    found = [(socket.AF_INET6, "2001:db8::7"), (socket.AF_INET, "203.0.113.7")]
    entries = [(family, socket.SOCK_STREAM, 6, "", (address, 8388)) for family, address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given: entries)
    asked: list[str] = []

    def source(address: str, _port: int) -> str:
        asked.append(address)
        raise OSError("no way there")

    monkeypatch.setattr(_attempts, "_source", source)
    entry = {"servers": [["ss.example", 8388]], "ipv6_first": first}
    (target,) = _machine.targets("ss-local@main.service", entry)
    source_address, pairs = _attempts.pairs(target, 2)
    assert (asked, source_address, [pair.plain_lost for pair in pairs]) == ([taken], "", [True])
