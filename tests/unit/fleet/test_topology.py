# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release of Debian the hosts of the demo fleet are, and the table of what its clients gained."""

from __future__ import annotations

import _topology
import first_byte
import pytest


@pytest.mark.parametrize(
    ("implementation", "members"),
    [
        ("rust", {("bookworm", "ss"), ("trixie", "ss")}),
        ("forky", {("forky", "plain")}),
    ],
)
def test_releases(monkeypatch, implementation, members):
    """Router and origin stay what they are: they are no host that is tested."""
    monkeypatch.setattr(_topology, "IMPLEMENTATION", implementation)
    hosts = _topology._demo().hosts
    assert {(host.release, host.variant) for host in hosts if host.role} == {("trixie", "plain")}
    assert {(host.release, host.variant) for host in hosts if not host.role} == members


def test_table():
    """A row a client, with what runs on both ends, and what it gained in round trips."""
    plain = dict.fromkeys(first_byte.CLIENTS, (105.0, 50.0))
    fast = dict.fromkeys(first_byte.CLIENTS, (55.0, 50.0))
    _title, _blank, _heads, *rows = first_byte.table("mixed", plain, fast)
    assert [row.split() for row in rows] == [
        [client, *pair.split(), "105.0", "55.0", "50.0", "50.0", "1.00"]
        for client, pair in zip(first_byte.CLIENTS, ("rust rust", "rust libev", "libev rust", "libev libev"))
    ]
