# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role shadowsocks: the package is there, on both releases, and its own server can never listen."""

from __future__ import annotations

import pytest
from _hosts import ROOT, SERVERS, host, play
from _seen import unit

MASK = "/etc/systemd/system/shadowsocks-libev.service"


@pytest.mark.parametrize("server", SERVERS)
def test_installed(server: str) -> None:
    assert host(server).package("shadowsocks-libev").is_installed
    assert "--fast-open" in host(server).run("ss-server -h").stdout


@pytest.mark.parametrize("server", SERVERS)
def test_own_server_is_masked_and_silent(server: str) -> None:
    shown = unit(server, "shadowsocks-libev.service")
    assert (shown["LoadState"], shown["ActiveState"]) == ("masked", "inactive")
    assert host(server).file(MASK).linked_to == "/dev/null"
    assert host(server).run("pidof ss-server").rc == 1
    assert ":8388" not in host(server).check_output("ss -Hltn")


@pytest.mark.parametrize("server", SERVERS)
def test_own_server_cannot_be_started(server: str) -> None:
    assert "is masked" in host(server).run("systemctl start shadowsocks-libev").stderr


def test_host_without_apt_is_refused_before_anything() -> None:
    """By what makes a host one of EL or Fedora for Ansible."""
    shell, fakes = host("ss1"), "/etc/redhat-release /usr/bin/dnf"
    shell.check_output(f"echo 'Rocky Linux release 9.6' | tee {fakes} && rm {MASK} && systemctl daemon-reload")
    try:
        done = play(ROOT / "molecule/role_shadowsocks/converge.yml", "--limit", "ss1", shadowsocks_version="0.1")
        assert done.recap["ss1"]["failed"] == 1
        assert done.recap["ss1"]["changed"] == 0
        assert "ss1: shadowsocks_install is package, which needs apt, and this host has dnf:" in done.words
        assert not shell.file(MASK).exists
    finally:
        shell.check_output(f"rm {fakes} && ln -s /dev/null {MASK} && systemctl daemon-reload")
