# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that change, die or go away while a step bakes, and a client that does."""

from __future__ import annotations

import time
from pathlib import Path

from _boxes import assert_fast, assert_plain, back, rollout
from _hosts import fleet, host, implementation
from _seen import arguments, sysctl, unit

SERVICE = "ss-server@main.service"
KILL = f"systemctl kill --signal=SIGKILL {SERVICE}"


def test_servers_that_stop_taking_syn_data(tmp_path: Path) -> None:
    """ss2 loses bit 0x2, ss1 answers with SYN cookies only: data is refused without delay."""

    value = sysctl("ss2", "net.ipv4.tcp_fastopen")

    def happens() -> None:
        host("ss2").check_output(f"sysctl -qw net.ipv4.tcp_fastopen={int(value) & ~2}")
        host("ss1").check_output("sysctl -qw net.ipv4.tcp_syncookies=2")

    try:
        run = rollout("c2,c3", tmp_path, happens)
        assert run.status != 0
        assert run.verdict() == "roll_back"
        assert run.outcomes() == {"c2": "reverted", "c3": "reverted"}
        assert "no gain" in run.reasons("c2")
        assert "no gain" in run.reasons("c3")
        assert run.reverted() == ["c2", "c3"]
        assert_plain("c2")
        assert_plain("c3")
    finally:
        host("ss2").check_output(f"sysctl -qw net.ipv4.tcp_fastopen={value}")
        host("ss1").check_output("sysctl -qw net.ipv4.tcp_syncookies=1")


def test_server_killed_under_its_clients(tmp_path: Path) -> None:
    """systemd has it running again at once, and each request passes: the verdict names the server all the same."""
    run = rollout("c2,c3", tmp_path, lambda: host("ss1").check_output(KILL))
    assert unit("ss1", SERVICE)["ActiveState"] == "active"
    assert run.status != 0
    assert run.verdict() == "roll_back"
    assert "ss1: its service was restarted or is gone since the step, see its journal" in run.words
    assert run.reverted() == ["c2", "c3"]
    assert_plain("c2")
    assert_plain("c3")


def test_client_gone_and_one_that_cannot_measure(tmp_path: Path) -> None:
    """Both are named and do not count as passed, the one that is left is plain again, and the run stops and says what to do."""

    def happens() -> None:
        fleet("exec", "c3", "systemctl", "poweroff")
        taken = "for n in $(seq 65520 65533); do echo t$n:x:$n:$n::/:/bin/false >> /etc/passwd; done"
        host("c2").check_output(
            f"cp -a /etc/passwd /etc/passwd.kept; {taken}"
        )  # no user is left for a temporary client

    try:
        run = rollout("c2,c3", tmp_path, happens)
    finally:
        host("c2").check_output("mv /etc/passwd.kept /etc/passwd")
        fleet("up")
    assert run.status != 0
    assert run.verdict() == "promote"  # passed over: one may be undecided, and one may get lost
    assert run.outcomes() == {"c2": "inconclusive", "c3": "unreachable"}
    assert "its measurement failed" in run.reasons("c2")
    assert "Inconclusive hosts are plain; later runs try them again" in run.words
    assert run.reverted() == ["c2"]
    assert_plain("c2")
    assert_plain("c3")  # its step did not outlive the power cut
    again = rollout("c2,c3", tmp_path)
    assert again.status == 0
    assert again.outcomes() == {"c2": "promoted", "c3": "promoted"}
    assert_fast("c3")
    back("c2,c3")


def test_wave_that_loses_its_hosts(tmp_path: Path) -> None:
    """More than the budget of unreachable hosts: the run stops, and each host undoes its step by itself (field: A9)."""
    lost = ("c2", "c3", "c4")
    deaf = ("sh", "-c", "systemctl stop ssh; pkill sshd; true")
    try:
        run = rollout(
            "c2,c3,c4", tmp_path, lambda: [fleet("exec", name, *deaf) for name in lost], rollout_probe_requests=5
        )
        assert run.status != 0
        assert run.verdict() == "inconclusive"
        assert run.outcomes() == dict.fromkeys(lost, "unreachable")
        deadline = time.monotonic() + 200
        while any(
            "--fast-open" in fleet("exec", name, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null; true")
            for name in lost
        ):
            assert time.monotonic() < deadline
            time.sleep(2)
    finally:
        for name in lost:
            fleet("exec", name, "systemctl", "start", "ssh")
    for name in lost:
        assert_plain(name)


def test_server_out_of_reach(tmp_path: Path) -> None:
    """Its clients measure well, yet nobody can say how it fares: they are plain again, and the run stops and says so."""
    try:
        run = rollout("c3", tmp_path, lambda: fleet("exec", "ss1", "sh", "-c", "systemctl stop ssh; pkill sshd; true"))
    finally:
        fleet("exec", "ss1", "systemctl", "start", "ssh")
    assert run.status != 0
    assert run.verdict() == "inconclusive"
    assert "ss1: it cannot be reached any more" in run.words
    assert run.outcomes() == {"c3": "inconclusive"}
    assert run.reverted() == ["c3"]
    assert_plain("c3")


def test_nothing_answers_any_more(tmp_path: Path) -> None:
    """The wave goes back, and who cannot be proven plain is named: that the network is down does not make it green."""
    try:
        run = rollout("c2,c3", tmp_path, lambda: fleet("exec", "origin", "systemctl", "stop", "fleet-role"))
    finally:
        fleet("exec", "origin", "systemctl", "start", "fleet-role")
    assert run.status != 0
    assert run.verdict() == "roll_back"
    assert run.reverted() == ["c2", "c3"]
    assert run.outcomes() == {"c2": "failed", "c3": "failed"}
    for client in ("c2", "c3"):
        assert "not proven plain: http://" in run.reasons(client)
        assert_plain(client)


def test_server_killed_in_its_own_step(tmp_path: Path) -> None:
    """The batch goes back to plain TCP with its kernel as it was."""
    fleet("up", "--fresh", "ss2")
    run = rollout("ss2", tmp_path, lambda: host("ss2").check_output(KILL))
    assert run.status != 0
    assert run.verdict() == "roll_back"
    assert "ss2: its service was restarted or is gone since the step, see its journal" in run.words
    assert run.reverted() == ["ss2"]
    assert "--fast-open" not in arguments("ss2", SERVICE)
    assert sysctl("ss2", "net.ipv4.tcp_fastopen") == "1"
    assert_plain("c2")


def test_server_with_syn_cookies_only(tmp_path: Path) -> None:
    """It cannot be proven to accept, so it goes back before anybody bakes."""
    host("ss2").check_output("sysctl -qw net.ipv4.tcp_syncookies=2")
    try:
        run = rollout("ss2", tmp_path)
        assert run.status != 0
        assert run.verdict() == "roll_back"
        assert run.outcomes() == {"ss2": "reverted"}
        assert "port 8388 does not accept SYN data" in run.reasons("ss2")
        assert "--fast-open" not in arguments("ss2", SERVICE)
        assert_plain("c2")
    finally:
        host("ss2").check_output("sysctl -qw net.ipv4.tcp_syncookies=1")


def test_witness_that_cannot_measure(tmp_path: Path) -> None:
    """The servers of its batch are judged by the other clients, every one of them."""
    fleet("up", "--fresh", "ss1")
    program = {"libev": "/usr/bin/ss-local", "rust": "/usr/local/bin/sslocal"}[implementation("c2")]
    host("c2").check_output(f"mv {program} {program}.away")
    try:
        run = rollout("ss1,ss2", tmp_path, rollout_server_batches=["100%"])
    finally:
        host("c2").check_output(f"mv {program}.away {program}")
    assert run.status == 0
    assert run.verdict() == "promote"
    assert run.outcomes() == {"ss1": "promoted", "ss2": "promoted"}
    for server in ("ss1", "ss2"):
        rust = implementation(server) == "rust"
        assert ("--fast-open" in arguments(server, SERVICE)) != rust
        assert sysctl(server, "net.ipv4.tcp_fastopen") == ("1027" if rust else "3")
    assert_plain("c2")
