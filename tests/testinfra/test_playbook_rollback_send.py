# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scope send: clients send plain SYNs again, servers go on to accept for others."""

from __future__ import annotations

import pytest
from _hosts import host, implementation, server_of, variables
from _seen import arguments, is_up, rise, sysctl
from _traffic import PORT, captured, fetch, from_client

SYN_DATA = "import socket; s = socket.socket(); s.sendto(b'x', socket.MSG_FASTOPEN, ('%s', %s))"


@pytest.mark.parametrize("client", ["c1", "c2"])
def test_client_is_plain(client: str) -> None:
    assert is_up(client, "ss-local@main.service")
    assert "--fast-open" not in arguments(client, "ss-local@main.service")
    assert sysctl(client, "net.ipv4.tcp_fastopen") == "1"
    with captured(server_of(client)) as syns:
        assert [fetch(client) for _turn in range(3)] == ["origin"] * 3
    assert from_client(syns, client) == [0] * 3


@pytest.mark.parametrize("server", ["ss1", "ss2"])
def test_server_still_accepts(server: str) -> None:
    assert is_up(server, "ss-server@main.service")
    rust = implementation(server) == "rust"
    assert ("--fast-open" in arguments(server, "ss-server@main.service")) != rust
    assert sysctl(server, "net.ipv4.tcp_fastopen") == ("1027" if rust else "3")
    script = SYN_DATA % (variables(server)["data_address"], PORT)
    risen = rise(server, lambda: [host("origin").check_output("python3 -c %s", script) for _turn in range(2)])
    assert risen["TCPFastOpenPassive"] >= 1
