# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard on real hosts: a path that turns bad, an outage that is none, what it costs, and what everybody says of it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from _boxes import assert_fast, assert_plain, box, boxes, rollout
from _guarded import (
    METRICS,
    SERVICE,
    STATUS,
    UNDOES_SECONDS,
    another_look,
    deploy,
    flagged,
    metrics,
    traffic,
    wait,
)
from _hosts import host, play
from _seen import sysctl, unit

CLIENT = "c2"  # no canary: a run goes on where it is skipped
UNIT = "ss-local@main.service"
HOLD_SECONDS = 20
ACCEPT = 0x2
MOST_MEGABYTES = 20
LOOK = "/usr/bin/python3 -I -S /usr/local/lib/fastopen/fastopen guard --because=look --textfile=/var/lib/prometheus/node-exporter"
METER = """
import os, resource, sys
quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
status = os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet), 0)[1]
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)
"""


@pytest.mark.parametrize(("name", "side", "stage"), [(CLIENT, "client", "send"), ("ss2", "server", "accept")])
def test_a_host_that_is_well(name: str, side: str, stage: str) -> None:
    """It looks, says so, and shows the stage; nothing fails."""
    wait(lambda: host(name).file(METRICS).exists, 90)
    shown = metrics(name)
    assert shown[f'tfo_stage{{side="{side}",stage="{stage}"}}'] == 1
    assert shown[f'tfo_stage_intended{{side="{side}",stage="{stage}"}}'] == 1
    assert (shown["tfo_problems"], shown["tfo_guard_reverts_total"], shown["tfo_boot_agrees"]) == (0, 0, 1)
    assert unit(name, SERVICE)["Result"] == "success"
    assert "guard    last look" in host(name).check_output(STATUS)
    assert host(name).file(METRICS).mode == 0o644


def test_hardened() -> None:
    """What the unit may do is little; how little is systemd's own judgement."""
    text = host(CLIENT).run(f"systemd-analyze security --no-pager {SERVICE}").stdout
    exposure = float(re.findall(r"Overall exposure level for \S+ (\d+\.\d)", text)[0])
    assert exposure < 7.0  # a unit without any setting has 9.6; namespaces are refused in some containers


@pytest.mark.parametrize("name", ["c1", CLIENT])
def test_what_a_look_costs(name: str) -> None:
    """A full look at a client under TFO, by the kernel's account of a process that a small one starts."""
    command = "/usr/bin/python3 -I -S /usr/local/lib/fastopen/fastopen guard --because=look"
    told = host(name).check_output(f"/usr/bin/python3 -I -S -c %s {command}", METER)
    status, megabytes, seconds = told.split()
    print(f"{name}: {float(megabytes):.1f} MB, {float(seconds):.2f} s of CPU")
    assert status == "0"
    assert float(megabytes) < MOST_MEGABYTES


def test_outage_is_nobodys_fault() -> None:
    """The server is gone for a while: nothing is undone, and what was found is said."""
    with traffic("c1"):
        wait(lambda: metrics("c1")['tfo_syn_data_total{side="client",result="acked"}'] > 5, 90)
        host("ss1").check_output("iptables -I INPUT -p tcp --dport 8388 -j DROP")
        try:
            told = wait(lambda: "not reachable" in host("c1").check_output(STATUS), 120)
        finally:
            host("ss1").check_output("iptables -D INPUT -p tcp --dport 8388 -j DROP")
        print(f"the outage was looked into after {told:.0f} s")
        assert flagged("c1")
    assert_fast("c1")


def paused_times(name: str) -> int:
    """How often the kernel's blackhole detection has fired."""
    return int(host(name).check_output("nstat -asz TcpExtTCPFastOpenBlackhole | awk 'END {print $2}'"))


def test_pause_is_the_kernels_own() -> None:
    """After an outage its blackhole detection sends no SYN data for a while: the server is not blamed for that."""
    shell = host("c1")
    seconds = sysctl("c1", "net.ipv4.tcp_fastopen_blackhole_timeout_sec")
    before = paused_times("c1")
    shell.check_output("sysctl --quiet --write net.ipv4.tcp_fastopen_blackhole_timeout_sec=600")
    try:
        with traffic("c1"):
            host("ss1").check_output("iptables -I INPUT -p tcp --dport 8388 -j DROP")
            try:
                wait(lambda: paused_times("c1") > before, 60)
            finally:
                host("ss1").check_output("iptables -D INPUT -p tcp --dport 8388 -j DROP")
            shell.check_output(LOOK)
            wait(lambda: "has paused TFO" in shell.check_output(STATUS), 120)
        assert flagged("c1") and metrics("c1")["tfo_paused"] == 1
        assert "takes no SYN data" not in shell.check_output(STATUS)
    finally:
        shell.check_output("sysctl --quiet --write net.ipv4.tcp_fastopen_blackhole_timeout_sec=%s", seconds)
    shell.check_output(LOOK)
    assert "paused" not in shell.check_output(STATUS)  # whether the server's queue has room again is not asked


def audited(reports: Path) -> dict[str, Any]:
    """The client as audit has it."""
    play("fastopen.shadowsocks.audit", "--limit", CLIENT, rollout_report_dir=str(reports))
    (row,) = json.loads(max(reports.glob("audit-*.json")).read_text(encoding="utf-8"))["rows"]
    return row


@pytest.fixture(name="seconds", scope="module")
def fixture_seconds() -> float:
    """c1's path begins to drop SYNs with data while it has traffic; the seconds until it is plain. The box stays."""
    with traffic(CLIENT):
        another_look(CLIENT)
        box(CLIENT, "drop-data")
        return wait(lambda: not flagged(CLIENT), UNDOES_SECONDS)


def test_the_host_undoes_it_itself(seconds: float) -> None:
    """In about a minute, with the reason, by the one way down."""
    print(f"plain after {seconds:.1f} s")
    wait(lambda: unit(CLIENT, SERVICE)["ActiveState"] == "inactive", 30)
    assert_plain(CLIENT)
    text = host(CLIENT).check_output(STATUS)
    assert f"{UNIT}: taken off by guard at" in text
    assert "SYNs with data to 10.203.2.12 port 8388 get lost and plain ones pass" in text
    assert "plain, and proven so" in host(CLIENT).check_output(f"journalctl --no-pager -o cat -u {SERVICE}")
    shown = metrics(CLIENT)
    assert shown['tfo_stage{side="client",stage="off"}'] == 1
    assert shown['tfo_stage_intended{side="client",stage="send"}'] == 1
    assert (shown["tfo_guard_reverts_total"], shown['tfo_undone{side="client",by="guard"}']) == (1, 1)
    assert flagged("c1")


def test_audit_and_rollout_know(seconds: float, tmp_path: Path) -> None:
    """Drift with its reason; a rollout leaves it alone until it is told to try again."""
    del seconds
    row = audited(tmp_path)
    assert (row["intended"], row["actual"]) == ("send", "off")
    assert any(f"{UNIT} was taken off by guard at" in line and "get lost" in line for line in row["drift"])
    again = rollout(CLIENT, tmp_path, rollout_retry=False, rollout_bake_seconds=0)
    assert (again.status, again.outcomes()) == (0, {CLIENT: "skipped"})
    assert "taken off by guard at" in again.reasons(CLIENT)
    box(CLIENT, "off")


def test_it_acts_while_a_rollout_holds_the_host(tmp_path: Path) -> None:
    """Between the step and its confirmation: the rollout reads it as reverted, and says why."""

    def happens() -> None:
        host(CLIENT).check_output(f"systemctl start {SERVICE}")  # takes note of the step, as a tick does
        with boxes(f"{CLIENT} drop-data"):
            time.sleep(8)
            host(CLIENT).check_output(f"systemctl start {SERVICE}")
            wait(lambda: not flagged(CLIENT), UNDOES_SECONDS)

    with traffic(CLIENT):
        run = rollout(CLIENT, tmp_path, happens, rollout_bake_seconds=75)
    assert run.outcomes() == {CLIENT: "reverted"}
    assert "taken off by the guard at" in run.reasons(CLIENT)
    assert_plain(CLIENT)


def undone() -> None:
    """The client's path is bad until it is plain."""
    with boxes(f"{CLIENT} drop-data"), traffic(CLIENT):
        wait(lambda: not flagged(CLIENT), UNDOES_SECONDS)
        wait(lambda: unit(CLIENT, SERVICE)["ActiveState"] == "inactive", 60)


def test_it_comes_back(tmp_path: Path) -> None:
    """With tfo_guard_return, after its hold time, over a path that carries SYN data again."""
    deploy(CLIENT, tfo_guard_return=True, tfo_guard_hold_seconds=HOLD_SECONDS, tfo_guard_interval_seconds=5)
    assert rollout(CLIENT, tmp_path, rollout_bake_seconds=0).outcomes() == {CLIENT: "promoted"}
    undone()
    off = metrics(CLIENT)
    assert (off['tfo_stage{side="client",stage="off"}'], off['tfo_undone{side="client",by="guard"}']) == (1, 1)
    back = wait(lambda: "back since" in host(CLIENT).check_output(STATUS), HOLD_SECONDS + 120)
    print(f"back {back:.0f} s after the path was good again")
    assert_fast(CLIENT)
    said = host(CLIENT).check_output(f"journalctl --no-pager -o cat -u {SERVICE}")
    assert f"{UNIT}: its paths carry SYN data again, and it is back under TFO" in said
    another_look(CLIENT)
    shown = metrics(CLIENT)
    assert (shown['tfo_stage{side="client",stage="send"}'], shown['tfo_undone{side="client",by="guard"}']) == (1, 0)
    assert audited(tmp_path)["drift"] == []


def test_it_does_not_come_back_against_an_operator(tmp_path: Path) -> None:
    """Taken off once more, and a rollback meanwhile: twice the hold time passes over a good path, and nothing comes back."""
    undone()
    done = play("fastopen.shadowsocks.rollback", "--limit", CLIENT)
    assert done.status == 0
    row = audited(tmp_path)
    assert (row["intended"], row["actual"]) == ("off", "off")
    assert row["state"] == "ok"
    assert ["taken off by guard at" in one["message"] for one in row["problems"] if one["code"] == "undone"] == [True]
    wait(lambda: metrics(CLIENT)['tfo_stage_intended{side="client",stage="send"}'] == 0, 60)
    time.sleep(2 * HOLD_SECONDS)
    another_look(CLIENT)
    assert_plain(CLIENT)


def test_kill_switch() -> None:
    """The server's guard tells it and leaves it; data that is refused costs no time, so the client's guard leaves that, too."""
    done = play("fastopen.shadowsocks.rollback", "--limit", "ss1", rollback_scope="accept")
    assert done.status == 0
    wait(lambda: metrics("ss1")["tfo_kill_switch"] == 1, 90)
    shown = metrics("ss1")
    assert shown['tfo_stage{side="server",stage="off"}'] == 1
    assert shown['tfo_stage_intended{side="server",stage="off"}'] == 1
    assert shown["tfo_problems"] == 0
    assert "kill switch on since" in host("ss1").check_output(STATUS)
    with traffic("c1"):
        for _look in range(2):
            another_look("c1")
    assert flagged("c1")
    assert not int(sysctl("ss1", "net.ipv4.tcp_fastopen")) & ACCEPT


def test_rollback_of_everything_takes_it_along() -> None:
    """And says so; nothing of it is left on the host."""
    done = play("fastopen.shadowsocks.rollback", "--limit", CLIENT, rollback_scope="all")
    assert done.status == 0
    assert "the guard went along" in done.words
    left = host(CLIENT).run(
        f"ls -d /etc/systemd/system/fastopen-guard.* /usr/local/lib/fastopen /var/lib/fastopen {METRICS}"
    )
    assert left.stdout == ""
    assert unit(CLIENT, "fastopen-guard.timer")["ActiveState"] == "inactive"
