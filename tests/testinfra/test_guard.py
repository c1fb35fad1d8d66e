# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard on real hosts: a path that turns bad, an outage that is none, what it costs, and what everybody says of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _boxes import assert_fast, assert_plain, box, boxes, rollout
from _hosts import ORIGIN, host, play
from _seen import unit

CLIENT = "c2"  # no canary: a run goes on where it is skipped
UNIT = "ss-local@main.service"
SERVICE = "fastopen-guard.service"
METRICS = "/var/lib/prometheus/node-exporter/fastopen.prom"
STATUS = "/usr/local/lib/fastopen/fastopen status"
UNDOES_SECONDS = 150
"""Far more than it takes, for a busy machine."""


@contextmanager
def traffic(client: str = CLIENT) -> Iterator[None]:
    """A request a second through the client, for as long as the block lasts."""
    curl = f"curl --silent --max-time 10 --output /dev/null --socks5 127.0.0.1:1080 {ORIGIN}"
    shell = host(client)
    shell.check_output(
        "systemd-run --quiet --collect --unit=guard-traffic sh -c %s", f"while :; do {curl} & sleep 1; done"
    )
    try:
        yield
    finally:
        shell.check_output("systemctl stop guard-traffic")


def wait(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until it is so."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it does not come about"
        time.sleep(0.5)
    return time.monotonic() - start


def flagged(client: str = CLIENT) -> bool:
    """Whether the client's process runs with TFO; in the middle of a restart there may be none."""
    script = f"tr '\\0' ' ' </proc/$(systemctl show -P MainPID {UNIT})/cmdline"
    words = host(client).run("sh -c %s", script).stdout.split()
    assert not words or words[0].startswith("/usr/")
    return not words or "--fast-open" in words


def metrics(name: str = CLIENT) -> dict[str, float]:
    """The samples of the textfile."""
    lines = host(name).check_output("cat %s", METRICS).splitlines()
    return {key: float(value) for key, _blank, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def looks(name: str = CLIENT) -> str:
    """When the guard ran last, by systemd."""
    return unit(name, SERVICE)["ExecMainExitTimestampMonotonic"]


def another_look(name: str = CLIENT) -> None:
    """Wait until it has run again."""
    before = looks(name)
    wait(lambda: looks(name) not in (before, "0"), 90)


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


@pytest.fixture(name="seconds", scope="module")
def fixture_seconds() -> float:
    """c1's path begins to drop SYNs with data while it has traffic; the seconds until it is plain. The box stays."""
    with traffic():
        another_look()
        box(CLIENT, "drop-data")
        return wait(lambda: not flagged(), UNDOES_SECONDS)


def test_the_host_undoes_it_itself(seconds: float) -> None:
    """In about a minute, with the reason, by the one way down."""
    print(f"plain after {seconds:.1f} s")
    wait(lambda: unit(CLIENT, SERVICE)["ActiveState"] == "inactive", 30)
    assert_plain(CLIENT)
    text = host(CLIENT).check_output(STATUS)
    assert f"{UNIT}: taken off by guard at" in text
    assert "SYNs with data to 10.203.2.12 port 8388 get lost and plain ones pass" in text
    assert "plain, and proven so" in host(CLIENT).check_output(f"journalctl --no-pager -o cat -u {SERVICE}")
    shown = metrics()
    assert shown['tfo_stage{side="client",stage="off"}'] == 1
    assert shown['tfo_stage_intended{side="client",stage="send"}'] == 1
    assert (shown["tfo_guard_reverts_total"], shown['tfo_undone{side="client",by="guard"}']) == (1, 1)
    assert flagged("c1")


def test_audit_and_rollout_know(seconds: float, tmp_path: Path) -> None:
    """Drift with its reason; a rollout leaves it alone until it is told to try again."""
    del seconds
    play("fastopen.shadowsocks.audit", "--limit", CLIENT, rollout_report_dir=str(tmp_path))
    report = json.loads(max(tmp_path.glob("audit-*.json")).read_text(encoding="utf-8"))
    (row,) = report["rows"]
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
            wait(lambda: not flagged(), UNDOES_SECONDS)

    with traffic():
        run = rollout(CLIENT, tmp_path, happens, rollout_bake_seconds=75)
    assert run.outcomes() == {CLIENT: "reverted"}
    assert "taken off by the guard at" in run.reasons(CLIENT)
    assert_plain(CLIENT)


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
