# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Prometheus has what the guards of real hosts and a rollout write, and alerts fire over what happens to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from _boxes import boxes, rollout
from _guarded import STATUS, UNDOES_SECONDS, deploy, flagged, traffic
from _hosts import ROOT, host
from _watched import TEXTFILES, api, firing, put, query, until

RULES = (ROOT / "extensions" / "prometheus" / "rules" / "fastopen.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((ROOT / "extensions" / "grafana" / "fastopen.json").read_text(encoding="utf-8"))
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
]
CHOSEN = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}  # what Grafana puts in


CLIENT, SERVER = "c2", "ss2"
UNDONE = 'tfo_undone{by="guard", side="client"}'
TOLD = (
    "tfo_rollout_info",
    'tfo_syn_data_total{result="acked"} > 5',
    *(f'rate(tfo_syn_data_total{{instance="{name}:9100"}}[1m])' for name in (CLIENT, SERVER)),
)
"""What is there once all have told: a rate takes two scrapes."""


def states() -> dict[str, str]:
    """Alerts by name: pending or firing."""
    return {one["labels"]["alertname"]: one["state"] for one in api("alerts")["alerts"]}


@pytest.fixture(scope="module", autouse=True, name="_told")
def fixture_told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A rollout's own textfile, as its controller's node_exporter would tell it, and both hosts' guards', under traffic."""
    folder = tmp_path_factory.mktemp("textfile")
    run = rollout(f"{SERVER},{CLIENT}", folder, rollout_bake_seconds=0, rollout_textfile_directory=str(folder))
    assert run.outcomes() == {SERVER: "promoted", CLIENT: "promoted"}
    put(SERVER, "fastopen_rollout.prom", (folder / "fastopen_rollout.prom").read_text(encoding="utf-8"))
    deploy(SERVER, CLIENT, tfo_guard_interval_seconds=5)
    with traffic(CLIENT):
        until(lambda: all(query(expression) for expression in TOLD), 120)
        yield


def test_hosts_tell_their_metrics() -> None:
    """What the guards wrote there is what Prometheus has; their counters are the kernel's, and rise."""
    for name, side, stage in ((CLIENT, "client", "send"), (SERVER, "server", "accept")):
        for metric in ("tfo_stage", "tfo_stage_intended"):
            ((labels, value),) = query(f'{metric}{{side="{side}", stage="{stage}"}}')
            assert (labels["instance"], value) == (f"{name}:9100", 1)
    for result in ('side="client", result="acked"', 'side="server", result="accepted"'):
        ((_labels, before),) = query(f"tfo_syn_data_total{{{result}}}")
        until(lambda: query(f"tfo_syn_data_total{{{result}}} > {before}"))
    assert query("node_textfile_scrape_error") and not query("node_textfile_scrape_error > 0")
    assert [value for _labels, value in query("tfo_problems")] == [0, 0]
    ((_labels, ended),) = query("tfo_rollout_exit_status")
    assert ended == 0
    assert not firing()


def test_pattern_of_the_document_keeps_the_kernels_counters() -> None:
    for name in ("CookieReqd", "Blackhole"):
        netstat = host(SERVER).check_output("nstat -asz TcpExtTCPFastOpenCookieReqd TcpExtTCPFastOpenBlackhole")
        ((_labels, value),) = query(f'node_netstat_TcpExt_TCPFastOpen{name}{{instance="{SERVER}:9100"}}')
        (line,) = [line.split() for line in netstat.splitlines() if f"TCPFastOpen{name} " in line]
        assert value == float(line[1])
    assert query("node_netstat_Tcp_ActiveOpens")
    assert not query("node_netstat_TcpExt_TCPPureAcks")


def test_rules_are_loaded_and_sound() -> None:
    (group,) = api("rules")["groups"]
    until(lambda: all(rule["health"] == "ok" for group in api("rules")["groups"] for rule in group["rules"]))
    assert [rule["name"] for rule in group["rules"]] == re.findall("- (?:alert|record): (.+)", RULES)


@pytest.mark.parametrize("expression", QUERIES)
def test_query_of_the_dashboard_finds_something(expression: str) -> None:
    for variable, value in CHOSEN.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    found = query(expression)
    assert found or expression.startswith("ALERTS")


@pytest.mark.parametrize("name", ["job", "instance"])
def test_variable_of_the_dashboard_has_values(name: str) -> None:
    (variable,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == name]
    metric = variable["definition"].removeprefix("label_values(").partition("{")[0].partition(",")[0]
    assert {labels[name] for labels, _value in query(metric)} == {"job": {"node"}, "instance": {"c2:9100", "ss2:9100"}}[
        name
    ]


def test_bit_that_somebody_clears() -> None:
    """The stage is another one than the last rollout confirmed: the alert waits its quarter of an hour, and goes with the cause."""
    try:
        host(SERVER).check_output("sysctl -w net.ipv4.tcp_fastopen=1")
        until(lambda: states().get("TfoStageDiffers") == "pending")
        assert query('tfo_stage{side="server", stage="accept"}')[0][1] == 0
        assert query(f'tfo_problems{{instance="{SERVER}:9100"}}')[0][1] == 1
    finally:
        host(SERVER).check_output("sysctl -w net.ipv4.tcp_fastopen=3")
    until(lambda: "TfoStageDiffers" not in states())


def test_box_to_alert_to_the_way_back(tmp_path: Path) -> None:
    """The path begins to drop SYNs with data: the guard acts, queries and alert show it, and end when a rollout tries again."""
    with boxes(f"{CLIENT} drop-data"):
        alert = until(lambda: firing().get("TfoGuardActed"), UNDOES_SECONDS)
        assert not flagged(CLIENT)
        assert "taken off by guard" in host(CLIENT).check_output(STATUS)
    assert alert["labels"]["severity"] == "warning"
    assert alert["annotations"]["summary"] == "c2:9100: the guard took TCP Fast Open off its client side"
    assert alert["annotations"]["runbook_url"].endswith("/docs/runbook.md#tfoguardacted")
    assert query('tfo_stage{side="client", stage="send"}')[0][1] == 0
    assert query('tfo_stage_intended{side="client", stage="send"}')[0][1] == 1
    assert (query(UNDONE)[0][1], query(f'tfo_guard_reverts_total{{instance="{CLIENT}:9100"}}')[0][1]) == (1, 1)
    assert "TfoStageDiffers" not in states()  # it is known who took it off
    assert rollout(CLIENT, tmp_path, rollout_bake_seconds=0).outcomes() == {CLIENT: "promoted"}
    until(lambda: "TfoGuardActed" not in firing())
    assert query(UNDONE)[0][1] == 0


def test_guard_that_is_gone() -> None:
    """Its metrics go with it, and no alert is left over."""
    deploy(CLIENT, tfo_guard_state="absent")
    assert not host(CLIENT).file(f"{TEXTFILES}/fastopen.prom").exists
    until(lambda: not query('tfo_stage{side="client"}') and not firing())
