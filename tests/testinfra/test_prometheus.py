# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Prometheus has what the textfiles of a host hold and what its kernel counts, and an alert of ours fires."""

from __future__ import annotations

import json
import time

import pytest
from _hosts import ROOT, host
from _watched import api, firing, put, query, recorded, until

DASHBOARD = json.loads((ROOT / "extensions" / "grafana" / "fastopen.json").read_text(encoding="utf-8"))
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
]
CHOSEN = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}  # what Grafana puts in


@pytest.fixture(scope="module", autouse=True, name="_files")
def fixture_files() -> None:
    """Textfiles of a host that is well."""
    put("c2", "fastopen.prom", recorded("fastopen.prom", {"tfo_guard_last_run_timestamp_seconds": time.time()}))
    put("c2", "fastopen_rollout.prom", recorded("fastopen_rollout.prom", {}))
    until(lambda: query("tfo_info") and query("tfo_rollout_info"))


def test_host_tells_its_metrics() -> None:
    assert query('tfo_stage{side="client", stage="send"}')[0][1] == 1
    ((labels, value),) = query('tfo_syn_data_total{result="acked"}')
    assert (labels["instance"], labels["side"], value) == ("c2:9100", "client", 5123)
    assert query("node_textfile_scrape_error")[0][1] == 0


def test_pattern_of_the_document_keeps_the_kernels_counters() -> None:
    netstat = host("c2").check_output("nstat -asz TcpExtTCPFastOpenCookieReqd TcpExtTCPFastOpenActive")
    for name in ("CookieReqd", "Active"):
        ((_labels, value),) = query(f"node_netstat_TcpExt_TCPFastOpen{name}")
        (line,) = [line.split() for line in netstat.splitlines() if f"TCPFastOpen{name} " in line]
        assert value == float(line[1])
    assert query("node_netstat_Tcp_ActiveOpens")
    assert not query("node_netstat_TcpExt_TCPPureAcks")


def test_rules_are_loaded_and_sound() -> None:
    (group,) = api("rules")["groups"]
    until(lambda: all(rule["health"] == "ok" for group in api("rules")["groups"] for rule in group["rules"]))
    assert len(group["rules"]) == 10


def test_alert_fires_and_ends() -> None:
    assert "TfoGuardActed" not in firing()
    now = {"tfo_guard_last_run_timestamp_seconds": time.time()}
    acted = {**now, 'tfo_undone{by="guard",side="client"}': 1, "tfo_guard_reverts_total": 1}
    put("c2", "fastopen.prom", recorded("fastopen.prom", acted))
    alert = until(lambda: firing().get("TfoGuardActed"))
    assert alert["labels"]["severity"] == "warning"
    assert alert["annotations"]["summary"] == "c2:9100: the guard took TCP Fast Open off its client side"
    assert alert["annotations"]["runbook_url"].endswith("/docs/runbook.md#tfoguardacted")
    put("c2", "fastopen.prom", recorded("fastopen.prom", now))
    until(lambda: "TfoGuardActed" not in firing())


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
    assert {labels[name] for labels, _value in query(metric)} == {{"job": "node", "instance": "c2:9100"}[name]}
