# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role ss_server, further runs: what is restarted, what is removed, what is shown, and an access list out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from _hosts import ROOT, SERVERS, Play, host, play
from _seen import arguments, journal, pids, sysctl, unit

MAIN = {"name": "main", "port": 8388, "method": "chacha20-ietf-poly1305", "password": "molecule-main"}
CONVERGE = ROOT / "molecule" / "role_ss_server" / "converge.yml"


def changed(run: Play) -> set[int]:
    """How many changes each host counted."""
    assert run.status == 0
    assert set(run.recap) == set(SERVERS)
    return {figures["changed"] for figures in run.recap.values()}


@pytest.fixture
def as_converged() -> Iterator[None]:
    """The hosts go back to what converge.yml says."""
    yield
    assert play(CONVERGE).status == 0


def test_nothing_restarts_without_a_change() -> None:
    before = [pids(server) for server in SERVERS]
    assert changed(play(CONVERGE)) == {0}
    assert [pids(server) for server in SERVERS] == before


def test_new_password_restarts_its_own_instance(as_converged: None) -> None:
    before = {server: pids(server) for server in SERVERS}
    shown = play(CONVERGE, "--check", "--diff", "-vv", main_password="molecule-next")
    assert changed(shown) == {1}
    assert "a masked value changes" in shown.output
    assert {server: pids(server) for server in SERVERS} == before
    run = play(CONVERGE, "--diff", "-vv", main_password="molecule-next")
    assert changed(run) == {1}
    for output in (shown.output, run.output):
        assert not [word for word in ("molecule-next", "molecule-main", "molecule-many") if word in output]
    for server in SERVERS:
        now = pids(server)
        assert [name for name in now if now[name] != before[server].get(name)] == ["ss-server@main.service"]
        assert "molecule-next" not in journal(server)


def test_instance_that_is_no_longer_listed_stays_and_is_named() -> None:
    """A list that is empty or misspelt must not take a fleet down."""
    before = {server: pids(server) for server in SERVERS}
    for without in (["both", "guarded"], ["main", "many", "both", "guarded"]):
        run = play(CONVERGE, without=without)
        assert changed(run) == {0}
        assert "ss-server@both.service" in run.words and "ss_server_prune: true" in run.words
        assert {server: pids(server) for server in SERVERS} == before


GONE = {"ss-server@both.service", "ss-server@guarded.service"}
ABSENT = [{"name": name, "state": "absent"} for name in ("both", "guarded")]


@pytest.mark.parametrize("how", [{"ss_server_prune": "yes"}, {"more": ABSENT}], ids=["pruned", "absent"])
def test_instance_that_is_to_go_goes(as_converged: None, how: dict[str, Any]) -> None:
    before = {server: pids(server) for server in SERVERS}
    shown = play(CONVERGE, "--check", without=["both", "guarded"], **how)
    for name in GONE:
        assert f"{name} is no longer wanted: it is stopped and removed" in shown.words
    assert changed(play(CONVERGE, without=["both", "guarded"], **how)) == {1}
    for server in SERVERS:
        assert pids(server) == {name: pid for name, pid in before[server].items() if name not in GONE}
        assert not {":8390", ":8391"} & set(host(server).check_output("ss -Hltun").split())
        left = host(server).check_output(
            "find /etc/shadowsocks /etc/systemd/system /run/systemd/system -name '*both*' -o -name '*guarded*'"
        )
        assert left == ""


def test_config_that_does_not_come_up_is_put_back() -> None:
    """The old service runs again, with its old config, and the operator is told."""
    files = "find /etc/shadowsocks /etc/systemd/system -type f -exec sha256sum {} +"
    before = {server: host(server).check_output(files) for server in SERVERS}
    run = play(CONVERGE, more=[{**MAIN, "plugin": "false"}], without=["main"])
    assert run.status != 0
    assert "ss-server@main.service does not come up" in run.words
    assert "files are put back, and what ran before runs again" in run.words
    for server in SERVERS:
        assert host(server).check_output(files) == before[server]
        assert "--fast-open" in " ".join(arguments("ss1", "ss-server@main.service"))
        assert ":8388" in host(server).check_output("ss -Hltn")
    assert changed(play(CONVERGE)) == {0}


def test_null_keeps_what_the_host_has() -> None:
    """Nothing restarts, and nothing of TCP Fast Open is touched."""
    before = [pids(server) for server in SERVERS]
    assert changed(play(CONVERGE, ss_server_fast_open=None)) == {0}
    assert [pids(server) for server in SERVERS] == before
    assert "--fast-open" in arguments("ss1", "ss-server@main.service")
    assert {int(sysctl(server, "net.ipv4.tcp_fastopen"), 0) & 0x2 for server in SERVERS} == {0x2}


def test_false_takes_it_off(as_converged: None) -> None:
    """Plain services, and the bits and the line as they were before."""
    assert changed(play(CONVERGE, ss_server_fast_open=False)) == {1}
    for server in SERVERS:
        for name in pids(server):
            assert "--fast-open" not in arguments(server, name)
        assert int(sysctl(server, "net.ipv4.tcp_fastopen"), 0) & 0x402 == 0
        left = "find /etc/systemd/system /run/systemd/system -name zz-fastopen.conf"
        assert host(server).check_output(left) == ""
        assert not host(server).file("/etc/sysctl.d/99-tfo.conf").exists
    assert changed(play(CONVERGE, ss_server_fast_open=False)) == {0}


def test_access_list_out_of_reach_stops_the_unit(as_converged: None) -> None:
    """ss-server itself would go on without the list."""
    for server in SERVERS:
        host(server).check_output("chmod 0600 /etc/shadowsocks/ss-server-guarded.acl")
        assert host(server).run("systemctl restart ss-server@guarded.service").rc != 0
        host(server).check_output("systemctl stop ss-server@guarded.service")
        assert unit(server, "ss-server@guarded.service")["MainPID"] == "0"
        assert ":8391" not in host(server).check_output("ss -Hltn")
