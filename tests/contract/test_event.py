# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook, the alerts that it acts on, and the Alertmanager of docs/event.md belong together."""

from __future__ import annotations

import re

import yaml
from _collection import PLAYBOOKS, ROOT, read_yaml
from test_names import PLAYBOOK_VARIABLES
from test_runbook import ALERTS

(RULESET,) = read_yaml(ROOT / "extensions" / "eda" / "rulebooks" / "fastopen.yml")
(RULE,) = RULESET["rules"]
DOCUMENT = (ROOT / "docs" / "event.md").read_text(encoding="utf-8")
ACTION = RULE["action"]["run_playbook"]


(TEXT,) = re.findall(r"```yaml\n# alertmanager.yml\n(.*?)```", DOCUMENT, re.DOTALL)
ROUTE = yaml.safe_load(TEXT)["route"]


def receivers(labels: dict[str, str]) -> list[str]:
    """Who is told, as Alertmanager's dispatch.Route.Match has it: the route above only where none below it matches."""
    told = []
    for route in ROUTE["routes"]:
        matchers = [re.fullmatch(r'(\w+) =~ "(.*)"', text) for text in route.get("matchers", ())]
        if all(re.fullmatch(found[2], labels.get(found[1], "")) for found in matchers):  # type: ignore[index]
            told.append(route["receiver"])
            if not route.get("continue"):
                break
    return told or [ROUTE["receiver"]]


def minutes(text: str) -> int:
    """`10 minutes` or `15m`."""
    return int(re.match(r"\d+", text)[0])  # type: ignore[index]


def test_it_runs_a_playbook_of_ours_politely() -> None:
    assert ACTION["name"].removeprefix("fastopen.shadowsocks.") in PLAYBOOKS
    assert set(ACTION["extra_vars"]) <= set(PLAYBOOK_VARIABLES["rollback"])
    assert ACTION["extra_vars"]["rollback_yield"] is True


def test_scopes_of_alerts_are_those_that_it_takes() -> None:
    taken = set(re.findall(r'rollback_scope in \["(\w+)", "(\w+)"\]', RULE["condition"])[0])
    scopes = {
        name: rule["labels"]["rollback_scope"] for name, rule in ALERTS.items() if "rollback_scope" in rule["labels"]
    }
    assert scopes == {"TfoPathLosesSynData": "send"}
    assert set(scopes.values()) <= taken == {"send", "accept"}


def test_a_repeat_is_not_lost_in_the_throttle() -> None:
    assert minutes(ROUTE["routes"][0]["repeat_interval"]) > minutes(RULE["throttle"]["once_within"])


def test_people_are_told_as_before() -> None:
    assert receivers({"rollback_scope": "send"}) == ["fastopen", "people"]
    assert receivers({}) == ["people"]


def test_whoever_asks_is_asked_for_a_token() -> None:
    assert RULESET["sources"][0]["eda.builtin.webhook"]["token"] == "{{ event_token }}"
