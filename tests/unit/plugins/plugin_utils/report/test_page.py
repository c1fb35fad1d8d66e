# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages as documents: on their own, of any journal, of large fleets."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._journal import Journal
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report import _rollouts
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report._pages import KINDS, page, words
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._run_journal import write

RECORDED = Path(__file__).parents[4] / "report" / "recorded" / "rollout.jsonl"
EVIL = "<script>alert(1)</script>\"' onload='alert(2)&amp;\x00\x1b[31m\ud800"


class Elements(HTMLParser):
    """The ``names`` of a page's elements, and of their ``attributes``."""

    def __init__(self, content):
        super().__init__()
        self.names, self.attributes = set(), set()
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        """Each of them."""
        self.names.add(tag)
        self.attributes.update(name for name, _value in attrs)


@pytest.mark.parametrize("kind", KINDS)
def test_page_needs_nothing_else(journals, kind):
    """No address but fragments, no script but the page's own; headings in their order; every picture is described."""
    content = page(journals[kind])
    assert MARKER not in content
    assert set(re.findall(r'(?:href|src)="([^"#]*)', content)) <= {"data:,", ""}
    assert not re.search(r"https?://|url\(|@import", content)
    assert content.count("<script") == 1
    levels = [int(level) for level in re.findall(r"<h([1-6])", content)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(levels, levels[1:]))
    for picture in re.findall(r"<svg.*?</svg>", content, flags=re.DOTALL):
        assert re.match(r"<svg[^>]* role=\"img\"[^>]*><title>[^<]+</title><desc>[^<]+</desc>", picture)
    for table in re.findall(r"<table.*?</table>", content, flags=re.DOTALL):
        assert re.match(r"<table[^>]*>\s*<caption>", table)
        assert not re.search(r"<th(?![^>]* scope=)[ >]", table)


def test_every_request_is_a_dot(journals):
    """Of the wave's own picture, but for those at the very same place."""
    journal = _journal.read(str(journals["good"]))
    (event,) = (one for one in journal.events if one.get("name") == "canary" and "measured" in one)
    (path,) = event["measured"]["after"]["c1"][0]["paths"]
    content = page(journals["good"])
    picture = content[content.index("First-byte times of canary") :]
    dots = re.findall(r'd="((?:M\d+ \d+h0)+)" class="dots (\w+)"', picture)[:2]
    assert [kind for _path, kind in dots] == ["first", "second"]
    for (drawn, _kind), arm in zip(dots, ("plain", "fast_open")):
        assert (
            0.7 * path[arm]["ok"]
            < drawn.count("M")
            <= sum(one["paths"][0][arm]["ok"] for one in event["measured"]["after"]["c1"])
        )


def test_whatever_is_in_a_journal_is_text(journals, tmp_path):
    """Every text, and every name, replaced by markup and control characters: none of it is markup in the page."""

    def poisoned(value, key=""):
        if isinstance(value, dict):
            return {name: poisoned(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [poisoned(one, key) for one in value]
        fixed = ("kind", "step", "what", "time", "started", "side")
        return EVIL + value if isinstance(value, str) and key not in fixed else value

    for kind in ("good", "reverted", "everybody_refused", "killed"):
        journal = _journal.read(str(journals[kind]))
        events = [poisoned(event) for event in journal.events]
        for event in events:
            for key in ("hosts", "refused", "waves", "limits", "smallest_harm"):
                if isinstance(event.get(key), dict):
                    event[key] = {EVIL + name: one for name, one in event[key].items()}
            for key in ("before", "after"):
                if key in event.get("measured", {}):
                    event["measured"][key] = {EVIL + name: one for name, one in event["measured"][key].items()}
        path = tmp_path / f"{kind}.jsonl"
        write(path, dataclasses.replace(journal, events=events))
        content = page(path)
        assert "alert(1)" in content
        assert content.count("<script") == 1
        elements = Elements(content)
        assert elements.names <= Elements(page(journals[kind])).names
        assert not any(name.startswith("on") for name in elements.attributes)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", content)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [None], {"x": None}])
def test_journal_of_any_shape(tmp_path, value):
    """Whatever stands where the journal's things should be is left out."""
    names = ("time", "run", "plan", "hosts", "waves", "refused", "smallest_harm", "limits", "lease_seconds", "next")
    event = {**{name: value for name in names}, "name": "wave 1", "verdict": value, "why": value, "measured": value}
    steps = [{**event, "step": step} for step in ("preflight", "batch", "wave", "end")]
    path = tmp_path / "rollout-1.jsonl"
    write(path, Journal("", "rollout", value, steps))
    assert "Who has which stage" in page(path)
    row = {"host": "h", "state": value, "drift": value, "foreign": value, "problems": value, "paths": value}
    write(path, Journal("", "audit", "", [], [row]))
    assert "What to do next" in page(path)


def test_audit(tmp_path):
    """As intended or not, with the reasons, the problems and the paths."""
    problem = {"code": "x", "severity": "error", "message": "cookies are off", "remedy": "turn them on"}
    path = _rollouts.AUDITED_PATH
    good = {**_rollouts.AUDITED, "problems": [problem]}
    bad = {
        **good,
        "host": "c1",
        "side": "client",
        "state": "drift",
        "drift": ["intended send, but off runs"],
        "paths": [path],
    }
    journal = tmp_path / "audit-1.json"
    write(journal, Journal("", "audit", "2026-11-26T01:02:03+00:00", [], [good, bad]))
    shown = words(page(journal))
    for told in (
        "State of the fleet, 2026-11-26 01:02 UTC",
        "1 host not as intended",
        "Why c1: intended send, but off runs",
        "2 problems of severity error",
        "error: cookies are off turn them on",
        "c1 (client) 203.0.113.1 port 8388 fast_open 102.4 ms 51.3 ms",
    ):
        assert told in shown


def test_run_over_a_real_fleet():
    """The figures of the page are those that the run has printed."""
    shown = words(page(RECORDED))
    for told in (
        "Ended, with 1 host not promoted",
        "Lost SYNs usually mean that a network or a middlebox on the path of these clients drops SYNs with data (c3)",
        "c1 client promoted send canary gains 55.0 ms (137.1 → 82.1), 0 of 20 failed",
        "c3 client reverted plain wave 1 loses SYNs with data: 5 of 5 late, 0 of 5 without",
    ):
        assert told in shown


def large_journal(hosts):
    """A run over so many clients, 100 requests a kind each, told as the journal does."""
    chance = _rollouts.random.Random(3)

    def arm(middle):
        times = [round(middle + chance.expovariate(0.1), 3) for _request in range(100)]
        return {
            "ok": 100,
            "failed": 0,
            "ttfb_ms": times,
            "connections": [{"syn_data": False, "lost": 0, "rtt_ms": 50.1}],
        }

    names = [f"client-{number:04}.example.net" for number in range(hosts)]
    said = "gains 50.1 ms (102.4 → 52.3), 0 of 100 failed"
    ended = {name: {"outcome": "promoted", "reasons": [said], "said": said} for name in names}
    after = {
        name: [
            {"paths": [{"name": "main", "server": "ss1", "plain": arm(100), "fast_open": arm(50)}], "network": "isp"}
        ]
        for name in names
    }
    wave = {"step": "wave", "name": "wave 1", "side": "client", "verdict": "promote", "hosts": ended}
    sides = [{"host": name, "side": "client", "outcome": "promoted", "why": said} for name in names]
    events = [
        {"step": "preflight", "time": "2026-11-26T02:00:01+00:00", "waves": {"wave 1": names}},
        {**wave, "what": "judged", "time": "2026-11-26T02:10:00+00:00", "measured": {"after": after}},
        {**wave, "what": "closed", "time": "2026-11-26T02:10:05+00:00"},
        {"step": "end", "time": "2026-11-26T02:10:06+00:00", "hosts": sides, "next": []},
    ]
    return Journal("", "rollout", "2026-11-26T02:00:00+00:00", events)


def test_large_fleet(tmp_path):
    """1,000 hosts: below 5 MB, folded, with a box to search."""
    path = tmp_path / "rollout-1.jsonl"
    write(path, large_journal(1000))
    content = page(path)
    assert len(content.encode()) < 5_000_000
    assert content.count("<details open") == 0
    assert "<summary>1000 sides of hosts</summary>" in content
    assert content.count("client-0999.example.net") >= 3
    assert re.search(r'<p class="search" data-table="host-table" hidden><label>', content)


def test_journal_holds_what_the_judge_said(journals):
    """Of a wave as a whole: coverage of networks, and the clients together."""
    (event,) = (
        one for one in _journal.read(str(journals["good"])).events if one.get("name") == "wave 2" and "measured" in one
    )
    judged = event["measured"]["judged"]
    assert judged["coverage"]["labels"] == ["isp0", "isp1"]
    assert judged["pooled"]["figures"]["excluded_share"] < 0.05
