# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard is what Grafana needs of one; whether its queries find anything is asked of a Prometheus in molecule/prometheus."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from _collection import ROOT
from test_runbook import ALERTS, SECTIONS
from test_metrics import LISTED

TEXT = (ROOT / "extensions" / "grafana" / "fastopen.json").read_text(encoding="utf-8")
DASHBOARD = json.loads(TEXT)
ROWS = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
UNITS = ("none", "percentunit", "cps", "s", "dateTimeFromNow")
BUILT_IN = {"__rate_interval", "__url_time_range", "__all_variables", "__value"}
WIDTH = 24
titled = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


def test_dashboard_is_laid_out_as_it_was_written() -> None:
    assert json.dumps(DASHBOARD, indent=2) + "\n" == TEXT


def test_identifiers_are_unique() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert re.fullmatch(r"[\w-]{1,40}", DASHBOARD["uid"])


def test_variables_choose_datasource_and_hosts() -> None:
    assert list(VARIABLES) == ["datasource", "job", "instance"]
    assert (VARIABLES["datasource"]["type"], VARIABLES["datasource"]["query"]) == ("datasource", "prometheus")
    for name in ("job", "instance"):
        assert VARIABLES[name]["datasource"] == DATASOURCE
        assert VARIABLES[name]["definition"] == VARIABLES[name]["query"]["query"]
        assert VARIABLES[name]["includeAll"] and VARIABLES[name]["allValue"] == ".*"


def test_no_variable_is_used_that_is_not_there() -> None:
    used = set(re.findall(r"\$\{?(\w+)", TEXT))
    assert used - {"__all"} <= {*VARIABLES, *BUILT_IN}


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@titled
def test_panel_has_title_description_unit_and_datasource(panel: dict[str, Any]) -> None:
    assert panel["title"] and panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == DATASOURCE


@titled
def test_panel_asks_of_known_metrics_and_chosen_hosts(panel: dict[str, Any]) -> None:
    assert [target["refId"] for target in panel["targets"]] == [chr(65 + at) for at in range(len(panel["targets"]))]
    for target in panel["targets"]:
        assert target["datasource"] == DATASOURCE
        metrics = set(re.findall(r"\btfo_\w+|\bALERTS\b", target["expr"]))
        assert metrics and metrics <= {*LISTED, "ALERTS"}
        ours = all(
            metric.startswith("tfo_rollout_") for metric in metrics
        )  # the controller's, whatever hosts are chosen
        assert ours or 'job=~"$job", instance=~"$instance"' in target["expr"]


@titled
def test_panel_leads_on(panel: dict[str, Any]) -> None:
    assert panel["links"]
    numbers = {str(one["id"]): one["title"] for one in PANELS}
    for link in panel["links"]:
        anchor, view = re.search(r"runbook\.md#(\w+)$", link["url"]), re.search(r"viewPanel=(\d+)&", link["url"])
        if view:
            assert link["url"].startswith(f"/d/{DASHBOARD['uid']}?")
            assert numbers[view.group(1)] == link["title"].removeprefix("Panel: ")
            assert view.group(1) != str(panel["id"])
        elif anchor:
            assert link["title"].removeprefix("Runbook: ").lower() == anchor.group(1)
        else:
            assert link["url"].endswith("/docs/runbook.md")


def test_every_alert_has_a_link() -> None:
    linked = set(re.findall(r"Runbook: (\w+)", TEXT))
    assert linked <= set(SECTIONS) and linked == set(ALERTS)


def test_what_is_to_be_seen_is_there() -> None:
    read = set(re.findall(r"\btfo_\w+", " ".join(target["expr"] for panel in PANELS for target in panel["targets"])))
    # What is meant to be, and since when it is so, stand in alerts; the name of a run is told by the playbook status.
    assert set(LISTED) - read == {"tfo_stage_intended", "tfo_stage_changed_timestamp_seconds", "tfo_rollout_info"}
