# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts by Debian's promtool: which fire over which series, and which do not. Two hosts: c1 in trouble, c2 well.

Prometheus' clock begins at 0 here, so a timestamp is a number of seconds since then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from _promtool import Missing, promtool, run

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "extensions" / "prometheus" / "rules" / "fastopen.yml"
ALERTS = sorted(
    rule["alert"] for rule in yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"] if "alert" in rule
)
ON = {'tfo_stage{side="client", stage="send"}': "1x9999", 'tfo_stage{side="client", stage="off"}': "0x9999"}
OFF = {'tfo_stage{side="client", stage="send"}': "0x9999", 'tfo_stage{side="client", stage="off"}': "1x9999"}
TO_SEND = {'tfo_stage_intended{side="client", stage="send"}': "1x9999"}
TO_ACCEPT = {'tfo_stage_intended{side="server", stage="accept"}': "1x9999"}
ACCEPTING = {'tfo_stage{side="server", stage="accept"}': "1x9999"}
LONG_AGO = {'tfo_stage_changed_timestamp_seconds{side="client"}': "0x9999"}
RUNNING = {"tfo_rollout_running": "1x9999", "tfo_rollout_started_timestamp_seconds": "0x9999"}


def syn_data(**results: str) -> dict[str, str]:
    """The counters of SYNs with data, by result."""
    side = {"acked": "client", "failed": "client"}
    return {
        f'tfo_syn_data_total{{side="{side.get(result, "server")}", result="{result}"}}': values
        for result, values in results.items()
    }


class Case(NamedTuple):
    """Series of c1, one value a minute (`x9999`: to the end), and what fires ``at`` so many minutes: names, with the labels that are ours."""

    name: str
    series: dict[str, str]
    at: int
    fires: dict[str, dict[str, str]] = {}


WELL = {
    **ON,
    **TO_SEND,
    **LONG_AGO,
    **syn_data(acked="0+50x9999", failed="0x9999"),
    "tfo_guard_last_run_timestamp_seconds": "0+60x9999",
    "tfo_boot_agrees": "1x9999",
    'tfo_undone{side="client", by="guard"}': "0x9999",
}
CRITICAL = {"side": "client", "severity": "critical", "rollback_scope": "send"}
CLIENT = {"side": "client", "severity": "warning"}
SERVER = {"side": "server", "severity": "warning"}
DIFFERS = {"TfoStageDiffers": {**CLIENT, "stage": "send"}}
CASES = [
    Case("nothing is amiss for three days", WELL, 4320),
    Case(
        "all of it is lost",
        {**WELL, **syn_data(failed="0+5x9999", acked="0x9999")},
        25,
        {"TfoPathLosesSynData": CRITICAL},
    ),
    Case(
        "the kernel stopped sending after three losses",
        {**WELL, **syn_data(failed="0x8 1 2 3x5 3x9999", acked="0x9999")},
        17,
        {"TfoPathLosesSynData": CRITICAL},
    ),
    Case("a few of many are lost", {**WELL, **syn_data(failed="0+5x9999", acked="0+50x9999")}, 60),
    Case("a loss now and then", {**WELL, **syn_data(failed="0x10 1x10 2x9999", acked="0x9999")}, 30),
    Case("lost for a moment", {**WELL, **syn_data(failed="0+5x3 15x9999", acked="0x9999")}, 4),
    Case(
        "lost by something else than ours",
        {
            **WELL,
            **OFF,
            'tfo_stage_intended{side="client", stage="send"}': "0x99",
            **syn_data(failed="0+5x9999", acked="0x9999"),
        },
        25,
    ),
    Case(
        "the queue is full",
        {**ACCEPTING, **TO_ACCEPT, **syn_data(accepted="0+50x9999", overflow="0+5x9999", refused="0x9999")},
        40,
        {"TfoQueueOverflow": SERVER},
    ),
    Case("the queue is full once", {**syn_data(accepted="0+500x9999", overflow="0+2x9999", refused="0x9999")}, 40),
    Case("a burst fills the queue", {**syn_data(accepted="0+50x9999", overflow="0x9 100x9999")}, 12),
    Case(
        "every other server of the address has another key",
        syn_data(accepted="0+50x9999", overflow="0x9999", refused="0+50x9999"),
        60,
        {"TfoCookiesRefused": SERVER},
    ),
    Case("the key was changed", syn_data(accepted="0+50x9999", refused="0x9 400x9999"), 60),
    Case("the key was changed just now", syn_data(accepted="0+50x9999", refused="0x9 400x9999"), 20),
    Case("somebody tries a few cookies", syn_data(accepted="0+50x9999", refused="0+1x9999"), 60),
    Case("it is off and nobody knows why", {**OFF, **TO_SEND}, 20, DIFFERS),
    Case("it is off for a moment", {**OFF, **TO_SEND}, 10),
    Case(
        "it is off and the guard says why", {**OFF, **TO_SEND, 'tfo_undone{side="client", by="guard"}': "1x9999"}, 1500
    ),
    Case(
        "it is off and a rollout says why", {**OFF, **TO_SEND, 'tfo_undone{side="client", by="rollout"}': "1x9999"}, 20
    ),
    Case("a rollout goes on", {**OFF, **TO_SEND, **RUNNING}, 20),
    Case("a rollout never ended", {**OFF, **TO_SEND, **RUNNING}, 1500, DIFFERS),
    Case(
        "a server is off and nobody knows why",
        {'tfo_stage{side="server", stage="accept"}': "0x99", **TO_ACCEPT, "tfo_kill_switch": "0x99"},
        20,
        {"TfoStageDiffers": {**SERVER, "stage": "accept"}},
    ),
    Case(
        "the kill switch is on",
        {'tfo_stage{side="server", stage="accept"}': "0x99", **TO_ACCEPT, "tfo_kill_switch": "1x99"},
        20,
    ),
    Case("the kill switch is no reason for clients", {**OFF, **TO_SEND, "tfo_kill_switch": "1x99"}, 20, DIFFERS),
    Case(
        "the guard acted",
        {**OFF, 'tfo_undone{side="client", by="guard"}': "0x1600 1x99"},
        1610,
        {"TfoGuardActed": {**CLIENT, "by": "guard"}},
    ),
    Case(
        "the guard acted on a host that is new here",
        {**OFF, 'tfo_undone{side="client", by="guard"}': "1x99"},
        9,
        {"TfoGuardActed": {**CLIENT, "by": "guard"}},
    ),
    Case(
        "the guard acted on one more",
        {'tfo_undone{side="client", by="guard"}': "1x1600 2x99"},
        1610,
        {"TfoGuardActed": {**CLIENT, "by": "guard"}},
    ),
    Case("the guard acted days ago", {**OFF, 'tfo_undone{side="client", by="guard"}': "0x9 1x9999"}, 1600),
    Case(
        "the lease ended",
        {**OFF, 'tfo_undone{side="client", by="lease"}': "0x1600 1x99"},
        1610,
        {"TfoLeaseEnded": {**CLIENT, "by": "lease"}},
    ),
    Case("the lease ended days ago", {**OFF, 'tfo_undone{side="client", by="lease"}': "0x9 1x9999"}, 1600),
    Case("an operator took it off", {**OFF, 'tfo_undone{side="client", by="operator"}': "0x9 1x99"}, 60),
    Case(
        "the guard is dead",
        {"tfo_guard_last_run_timestamp_seconds": "0x99"},
        40,
        {"TfoGuardSilent": {"severity": "warning"}},
    ),
    Case("the guard sees nothing", {"tfo_guard_watching": "0x99"}, 40, {"TfoGuardBlind": {"severity": "warning"}}),
    Case("the guard sees again", {"tfo_guard_watching": "1x9 0x9 1x99"}, 40),
    Case("the guard takes its time", {"tfo_guard_last_run_timestamp_seconds": "0x20 1200x99"}, 45),
    Case(
        "the boot brings something else",
        {"tfo_boot_agrees": "0x99"},
        65,
        {"TfoBootValueDisagrees": {"severity": "warning"}},
    ),
    Case("a step that is not confirmed", {"tfo_boot_agrees": "0x99", **RUNNING}, 65),
    Case("somebody tries a value", {"tfo_boot_agrees": "1x9 0x30 1x99"}, 60),
    Case(
        "nobody uses it",
        {**ON, **TO_SEND, **LONG_AGO, **syn_data(acked="7x9999", failed="0x9999")},
        440,
        {"TfoUnused": {"side": "client", "severity": "info"}},
    ),
    Case(
        "nobody uses a server",
        {**ACCEPTING, 'tfo_stage_changed_timestamp_seconds{side="server"}': "0x9999", **syn_data(accepted="7x9999")},
        440,
        {"TfoUnused": {"side": "server", "severity": "info"}},
    ),
    Case(
        "it is new",
        {
            **ON,
            **LONG_AGO,
            **syn_data(acked="0x9999"),
            'tfo_stage_changed_timestamp_seconds{side="client"}': "18000x9999",
        },
        440,
    ),
    Case("it is used once a while", {**ON, **LONG_AGO, **syn_data(acked="0x200 1x9999")}, 440),
    Case("nobody uses what is off", {**OFF, **LONG_AGO, **syn_data(acked="0x9999")}, 440),
]


def series_of(case: Case) -> list[dict[str, str]]:
    """Its series as a Prometheus that scrapes c1 has them, and those of c2, which is well."""
    found = []
    for instance, series in (("c1:9100", case.series), ("c2:9100", WELL)):
        for name, values in series.items():
            bare, _brace, labels = name.partition("{")
            target = f'job="node", instance="{instance}"'
            found.append(
                {
                    "series": f"{bare}{{{target}{', ' + labels if labels else '}'}",
                    "values": values.replace("x9999", f"x{case.at}"),
                }
            )
    return found


def expected(case: Case) -> list[dict[str, Any]]:
    """Every alert that fires, as Prometheus' own series ALERTS."""
    found = []
    for alert, labels in case.fires.items():
        told = {"alertname": alert, "alertstate": "firing", "instance": "c1:9100", "job": "node", **labels}
        found.append(
            {"labels": "ALERTS{" + ", ".join(f'{key}="{value}"' for key, value in told.items()) + "}", "value": 1}
        )
    return found


@pytest.fixture(scope="module", autouse=True, name="_program")
def fixture_program() -> None:
    """What the tests ask."""
    try:
        promtool()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_fires(case: Case, tmp_path: Path) -> None:
    asked = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{case.at}m", "exp_samples": expected(case)}
    test = {"interval": "1m", "input_series": series_of(case), "promql_expr_test": [asked]}
    every = "1m" if case.at < 120 else "10m"
    tests = {"rule_files": [str(RULES)], "evaluation_interval": every, "tests": [test]}
    file = tmp_path / "test.json"  # JSON is YAML
    file.write_text(json.dumps(tests), "utf-8")
    done = run("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_in_one_case_and_not_in_another(alert: str) -> None:
    assert [case.name for case in CASES if alert in case.fires]
    assert [case.name for case in CASES if alert not in case.fires]


def test_rules_are_sound() -> None:
    done = run("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["fastopen.prom", "fastopen_rollout.prom"])
def test_metrics_are_sound(name: str) -> None:
    done = run("check", "metrics", text=(HERE / name).read_text("utf-8"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
