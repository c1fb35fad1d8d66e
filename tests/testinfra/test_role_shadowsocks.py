# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role shadowsocks: the package is there, on both releases, and its own server can never listen."""

from __future__ import annotations

import pytest
from _hosts import SERVERS, host
from _seen import unit


@pytest.mark.parametrize("server", SERVERS)
def test_installed(server: str) -> None:
    assert host(server).package("shadowsocks-libev").is_installed
    assert "--fast-open" in host(server).run("ss-server -h").stdout


@pytest.mark.parametrize("server", SERVERS)
def test_own_server_is_masked_and_silent(server: str) -> None:
    shown = unit(server, "shadowsocks-libev.service")
    assert (shown["LoadState"], shown["ActiveState"]) == ("masked", "inactive")
    assert host(server).file("/etc/systemd/system/shadowsocks-libev.service").linked_to == "/dev/null"
    assert host(server).run("pidof ss-server").rc == 1
    assert ":8388" not in host(server).check_output("ss -Hltn")


@pytest.mark.parametrize("server", SERVERS)
def test_own_server_cannot_be_started(server: str) -> None:
    assert "is masked" in host(server).run("systemctl start shadowsocks-libev").stderr
