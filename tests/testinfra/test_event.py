# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a network that goes bad to plain clients, by Prometheus, Alertmanager, ansible-rulebook and nobody's hand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from _boxes import assert_fast, assert_plain, boxes
from _guarded import STATUS, flagged, traffic
from _hosts import INVENTORY, host
from _rulebook import Rulebook, rulebook
from _watched import api, firing, query, until

ALERT = "TfoPathLosesSynData"
SEND = {"alertname": ALERT, "rollback_scope": "send"}
LOST = 'tfo_syn_data_total{inventory_hostname="c1",result="failed"}'


def ask(client: str, asked: str) -> None:
    """Ask tfo_stage on a client for something, as a rollout does."""
    command = ["ansible", "--inventory", str(INVENTORY), client, "-m", "fastopen.shadowsocks.tfo_stage", "-a"]
    subprocess.run([*command, f"side=client run=nightly {asked}"], check=True)


@pytest.fixture(scope="module", name="running")
def fixture_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rulebook]:
    """ansible-rulebook, over two clients under TFO whose guards only watch, and that have traffic."""
    for client in ("c1", "c3"):
        assert_fast(client)
    with traffic("c1"), traffic("c3"), rulebook(tmp_path_factory.mktemp("event")) as running:
        yield running


def test_token_is_asked_for(running: Rulebook) -> None:
    assert running.post([{**SEND, "inventory_hostname": "c3"}], token="guessed") == 401


def test_run_that_holds_the_host_is_left_to_judge_it(running: Rulebook) -> None:
    alert = {**SEND, "inventory_hostname": "c3"}
    ask("c3", "state=claimed lease_seconds=600")
    try:
        assert running.post([alert]) == 200
        until(lambda: running.plays("c3") == 1, 180)
        assert "c3 is left as it is: claimed by run nightly of" in " ".join(running.said().split())
        assert flagged("c3")
    finally:
        ask("c3", "state=released")
    assert running.post([alert]) == 200  # again at once: throttled, as the end of this file shows


def test_nothing_but_what_is_meant(running: Rulebook) -> None:
    """No scope, a scope that alerts do not have, no name, everybody's, a pattern."""
    alerts: list[dict[str, str]] = [
        {"alertname": "TfoGuardActed", "inventory_hostname": "c3"},
        {"rollback_scope": "all", "inventory_hostname": "c3"},
        {"rollback_scope": "send"},
        {"rollback_scope": "send", "inventory_hostname": "all"},
        {"rollback_scope": "send", "inventory_hostname": "c*"},
        {"rollback_scope": "send", "inventory_hostname": ""},
    ]
    assert running.post(alerts) == 200


def test_from_bad_network_to_plain_client(running: Rulebook, capsys: pytest.CaptureFixture[str]) -> None:
    legs: list[tuple[str, float]] = []
    ((_labels, before),) = until(lambda: query(LOST))
    begin = time.monotonic()

    def leg(name: str, what: Callable[[], Any], seconds: float) -> None:
        until(what, seconds)
        legs.append((name, time.monotonic() - begin))

    with boxes("c1 drop-data"):
        leg("Prometheus knows of three lost SYNs", lambda: query(f"{LOST} > {before + 2}"), 60)
        leg("the guard, which only watches, names it", lambda: query('tfo_problems{inventory_hostname="c1"} > 0'), 180)
        assert "loses SYNs with data while plain ones pass" in host("c1").check_output(STATUS)
        leg(
            "the alert is pending",
            lambda: [one for one in api("alerts")["alerts"] if one["labels"]["alertname"] == ALERT],
            300,
        )
        leg("it fires", lambda: firing().get(ALERT), 420)
        leg("the client's program runs without TFO", lambda: not flagged("c1"), 180)
        leg("the playbook has proven it plain", lambda: running.plays("c1") == 1, 180)
        assert_plain("c1")
        assert query('tfo_guard_reverts_total{inventory_hostname="c1"}')[0][1] == 0
        leg("the alert is over", lambda: ALERT not in firing(), 60)
    with capsys.disabled():
        for name, seconds in legs:
            print(f"\n  {seconds:6.1f} s: {name}", end="")
        print()


def test_everybody_else_is_as_before(running: Rulebook) -> None:
    assert_fast("c3")
    assert (running.plays("c1"), running.plays("c3")) == (1, 1)
    assert "ERROR" not in running.said()
