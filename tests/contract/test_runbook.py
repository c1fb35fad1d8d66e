# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every alert has its heading in the runbook, and every heading its alert; what they name is there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from _collection import PLAYBOOKS, ROLES, ROOT, read_yaml

RULES = [
    rule for group in read_yaml(ROOT / "extensions/prometheus/rules/fastopen.yml")["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in RUNBOOK.split("\n## ")[1:]}
REPOSITORY = read_yaml(ROOT / "galaxy.yml")["repository"]
SEVERITIES = ("critical", "warning", "info")


def test_each_alert_has_its_heading_and_each_heading_its_alert() -> None:
    assert sorted(SECTIONS) == sorted(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_section_says_what_it_means_how_to_look_and_what_to_do(alert: str) -> None:
    for words in ("**It means**", "**Look**", "**Do**"):
        assert words in SECTIONS[alert]


@pytest.mark.parametrize("alert", ALERTS)
def test_table_has_its_severity(alert: str) -> None:
    assert f"| [{alert}](#{alert.lower()}) | {ALERTS[alert]['labels']['severity']} |" in RUNBOOK


@pytest.mark.parametrize("rule", ALERTS.values(), ids=list(ALERTS))
def test_alert_is_complete(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    notes = rule["annotations"]
    assert notes["summary"].startswith("{{ $labels.instance }}: ")
    assert notes["description"].endswith(".")
    assert notes["runbook_url"] == f"{REPOSITORY}/blob/main/docs/runbook.md#{rule['alert'].lower()}"


def test_runbook_names_what_is_there() -> None:
    named = set(re.findall(r"fastopen\.shadowsocks\.(\w+)", RUNBOOK))
    assert named <= {*PLAYBOOKS, *ROLES}
    assert {"rollback", "rollout", "audit", "status"} <= named
