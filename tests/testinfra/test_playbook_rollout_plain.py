# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before the rollout: no request goes inside a SYN, and the first byte takes two round trips."""

from __future__ import annotations

import statistics

import pytest
from _hosts import CLIENTS, SERVERS, server_of
from _seen import arguments, sysctl
from _traffic import captured, fetch, first_bytes, from_client


@pytest.mark.parametrize("server", SERVERS)
def test_server_is_plain(server: str) -> None:
    assert "--fast-open" not in arguments(server, "ss-server@main.service")
    assert sysctl(server, "net.ipv4.tcp_fastopen") == "1"


@pytest.mark.parametrize("client", CLIENTS)
def test_client_is_plain(client: str) -> None:
    assert "--fast-open" not in arguments(client, "ss-local@main.service")
    with captured(server_of(client)) as syns:
        for _turn in range(3):
            assert fetch(client) == "origin"
    assert from_client(syns, client) == [0] * 3


@pytest.mark.parametrize("client", CLIENTS)
def test_first_byte_takes_two_round_trips(client: str) -> None:
    assert statistics.median(first_bytes(client, 15)) > 2 * 50  # the router's delay
