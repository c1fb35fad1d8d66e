# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page of a run says first: how it ended, well, badly or not at all, and what comes next."""

from __future__ import annotations

import dataclasses
import datetime
import re

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._journal import Journal
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report import _rollouts
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report._pages import page, words
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._run_journal import write

STEPPED = (
    "Confirmed, and stays: ss1. Stepped, or about to be, and not confirmed as far as the journal tells: ss2."
    " A host that is up undoes that by itself when its lease ends, at about 2026-11-26 02:"
)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (
            "good",
            [
                "Done What happened Servers that accept SYN data for good: 2 of 2. Clients that send it for good: 4 of 5.",
                "The others: 1 skipped (plain TCP, as before).",
                "c5 client skipped plain, as before",
                "promoted: confirmed, and it survives a reboot.",
                "Rollout of TCP Fast Open, 2026-11-26 02:30 UTC Begun by ops@control.",
                "Each step is measured against plain TCP",
                "Requests of the wave's clients: plain and with TCP Fast Open, in turn. A dot",
                "canary: promoted 1 client, 1 promoted. 1 client excludes",
                "c5 skipped: no path carries SYN data: no_cookie at 203.0.113.1 port 8388",
                "What to do next Next: ansible-playbook fastopen.shadowsocks.audit",
                "wave 2: promoted",
                "clients together exclude",
                "2 (isp0, isp1) 78% 3.3%",
            ],
        ),
        (
            "reverted",
            [
                "Stopped at wave 2: taken back",
                "Clients that send it for good: 3 of 5.",
                "Why wave 2: 2 of 5 are bad so far (c4, c5): too many",
                "c4 reverted: loses SYNs with data: 18 of 20 late, 0 of 20 without",
                "The others: 2 reverted (plain TCP again).",
                "What to do next Lost SYNs usually mean that a network or a middlebox on the path of these clients drops"
                " SYNs with data (c4, c5): keep them out, or have it mended. The run stopped at wave 2. Mend what is named"
                " above, then run it again: ansible-playbook fastopen.shadowsocks.rollout -e rollout_retry=true Without"
                " rollout_retry, later runs leave reverted clients alone: c4, c5. 5 promoted",
                "c5 client reverted plain wave 2 loses SYNs with data",
                "wave 2: taken back",
                "0 → 18 0 → 18 0 → 0 of 20",
            ],
        ),
        (
            "refused",
            [
                "Ended, with 1 host refused",
                "ss2 refused: deployed otherwise than the inventory says (/etc/shadowsocks/ss-server@main.json)",
                "Servers that accept SYN data for good: 1 of 2.",
                "The others: 1 refused (unchanged: plain TCP, unless it had TCP Fast Open before).",
                "What to do next Deploy first: ansible-playbook fastopen.shadowsocks.deploy --limit ss2 Then run it"
                " again: ansible-playbook fastopen.shadowsocks.rollout",
                "ss2 server refused as it was – deployed otherwise",
            ],
        ),
        (
            "everybody_refused",
            [
                "Refused: nothing was changed",
                "The run ended in its preflight. Nothing was changed.",
                "Servers that accept SYN data for good: 0 of 1.",
                "ss1 refused: deployed otherwise",
                "What to do next Deploy first: ansible-playbook fastopen.shadowsocks.deploy --limit ss1 Then",
            ],
        ),
        (
            "unmeasured",
            [
                "Done: everybody is promoted, but nothing was measured What happened",
                "Nothing was measured (rollout_probe_requests is 0), and no bake was made: no time under real traffic.",
                "This run was told to measure nothing.",
                "Also changed: ss1: bit 0x400 is for all: from its next start on SYN data is accepted by sshd on 0.0.0.0"
                " port 22.",
            ],
        ),
        ("unbaked", ["No bake was made (rollout_bake_seconds is 0): no time under real traffic.", "Done: everybody"]),
        (
            "killed",
            [
                "Ended without an end What happened The journal's last entry is of batch 2 at 2026-11-26 02:40:24 UTC."
                " Confirmed, and stays: ss1, ss2. No step was begun, as before: c1. Why",
                "nothing was written for longer than its hosts wait (16 min 40 s).",
                "What to do next Look at the fleet: ansible-playbook fastopen.shadowsocks.audit ; then run it again:"
                " ansible-playbook fastopen.shadowsocks.rollout 2 promoted",
                "canary: not begun",
                "How far every host was",
                "c1 client to come as before canary –",
            ],
        ),
    ],
)
def test_story(journals, kind, told):
    """What happened, why, and what to do next."""
    shown = words(page(journals[kind]))
    for one in told:
        assert one in shown


def test_run_that_goes_on(journals):
    """Nobody knows whether it does; the lease is not over."""
    shown = words(page(journals["killed"], _rollouts.STARTED + datetime.timedelta(minutes=11)))
    assert "May still be running What happened" in shown
    assert (
        "Find out whether it is running: ansible-playbook fastopen.shadowsocks.status ; if so, wait for its end."
        " If not, look at the fleet:" in shown
    )
    assert "needs -e rollout_take_over=20261126T023000-00042." in shown
    assert "rollout_take_over" not in words(page(journals["killed"]))
    assert "without an end" not in shown


@pytest.mark.parametrize("minutes", [11, 1000])
def test_run_without_an_end_is_run_again(journals, tmp_path, minutes):
    """Over the hosts of its limit; who was gone before the plan is told of."""
    journal = _journal.read(str(journals["killed"]))
    plan, *others = journal.events
    gone = [{"host": "c8", "side": "", "outcome": "unreachable", "why": "not reached in the preflight"}]
    more = {"limit": "all:!c9", "gone": gone}
    write(tmp_path / "r.jsonl", dataclasses.replace(journal, events=[{**plan, **more}, *others]))
    content = page(tmp_path / "r.jsonl", _rollouts.STARTED + datetime.timedelta(minutes=minutes))
    assert "<code>ansible-playbook fastopen.shadowsocks.rollout --limit &#39;all:!c9&#39;</code>" in content
    assert "Not known what runs there: c8." in words(content)


@pytest.mark.parametrize(
    ("last", "told", "row"),
    [
        ("begin", "Confirmed, and stays: ss1. No step was begun, as before: ss2, c1. Why", "not decided not known"),
        ("measured", STEPPED, "not decided not known"),
        ("stepped", STEPPED, "stepped stepped, not confirmed"),
        ("judged", STEPPED, "stepped stepped, not confirmed"),
        ("closed", "Confirmed, and stays: ss1, ss2. No step was begun, as before: c1. Why", "promoted accept"),
    ],
)
def test_run_that_was_killed_in_a_wave(monkeypatched, tmp_path, last, told, row):
    """What is confirmed stays; a step undoes itself at a time; a verdict alone is no end of its wave."""
    _rollouts.killed_in_a_wave(_rollouts.Run(monkeypatched), str(tmp_path), last)
    (journal,) = tmp_path.glob("*.jsonl")
    shown = words(page(journal, _rollouts.STARTED + datetime.timedelta(minutes=11)))
    assert told in shown
    assert f"ss2 server {row}" in shown
    assert ("batch 2: promoted , but not closed 1 server, 0 promoted" in shown) == (last == "judged")
    if told == STEPPED:
        assert re.search(
            r"A host that is up undoes that by itself when its lease ends, at about 2026-11-26 02:5\d", shown
        )
        later = words(page(journal))
        assert re.search(
            r"The lease ended, at about 2026-11-26 02:5\d:\d\d UTC: a host that was up has undone it", later
        )


def test_journal_that_was_cut_short(journals, tmp_path):
    """What is there is told, and that it is not all."""
    path = tmp_path / "rollout-1.jsonl"
    path.write_bytes(journals["good"].read_bytes()[:-20])
    shown = words(page(path))
    assert "Ended without an end" in shown
    assert "The journal is not whole: 1 line of it cannot be read" in shown


def test_run_that_measured_nothing_shows_no_proof(journals):
    """Neither a coverage of dashes nor the word that every step is measured."""
    content = page(journals["unmeasured"])
    shown = words(content)
    for absent in ("What could have gone unseen", "Each step is measured", "bakes"):
        assert absent not in shown
    assert 'class="story is-open"' in content
    assert 'class="story is-good"' in page(journals["unbaked"])


def test_long_words_beside_the_time_line(tmp_path):
    """Their first part has room there; in full they are in its description, and at the wave."""
    hosts = {"c1": {"outcome": "failed"}, "c2": {"outcome": "inconclusive"}}
    event = {
        "step": "wave",
        "name": "wave 1",
        "side": "client",
        "what": "closed",
        "verdict": "inconclusive",
        "hosts": hosts,
    }
    times = [{"time": f"2026-11-26T02:30:0{second}+00:00"} for second in (0, 1, 2)]
    begun = {**event, "what": "judged", "verdict": ""}
    events = [{**times[0], "step": "preflight"}, {**times[1], **begun}, {**times[2], **event}]
    path = tmp_path / "rollout-1.jsonl"
    write(
        path, Journal("", "rollout", "2026-11-26T02:30:00+00:00", [*events, {**times[2], "step": "end", "hosts": []}])
    )
    content = page(path)
    assert re.search(r'<text[^>]*class="label inconclusive"[^>]*>undecided</text>', content)
    full = "wave 1: undecided, taken back, not all of it proven plain"
    assert f"{full}." in content
    assert f"Stopped at {full}" in words(content)


def ended(path, wave, hosts, **outcome):
    """The words of a page whose run stopped at a canary with these ``hosts``, after which c1 has ended so."""
    event = {"step": "canary", "name": "canary", "side": "client", "what": "closed", "why": ["nobody is left"]}
    last = {"step": "end", "hosts": [{"host": "c1", "side": "client", **outcome}]}
    events = [{"step": "preflight"}, {**event, **wave, "hosts": hosts}, last]
    write(path, Journal("", "rollout", "", events))
    return words(page(path))


def test_host_that_was_found_again(tmp_path):
    """What the end of the run knows of it is told of its wave as well."""
    lost = {"c1": {"outcome": "unreachable", "since_step": True, "reasons": ["lost since its step"]}}
    path, wave = tmp_path / "rollout-1.jsonl", {"verdict": "inconclusive"}
    shown = ended(path, wave, lost, outcome="reverted", why="answered again and is plain")
    assert "Stopped at canary: undecided, taken back What happened" in shown
    assert "Why canary: nobody is left c1 reverted: answered again and is plain" in shown
    shown = ended(path, wave, lost, outcome="unreachable", why="lost")
    assert "Stopped at canary: undecided, taken back, not all of it proven plain" in shown


def test_canary_that_was_lost_before_its_step(tmp_path):
    """Nothing was taken back."""
    lost = {"c1": {"outcome": "unreachable", "since_step": False, "reasons": ["unreachable before its step"]}}
    shown = ended(tmp_path / "rollout-1.jsonl", {"verdict": "inconclusive"}, lost, outcome="unreachable", why="lost")
    assert "Stopped at canary: undecided, nobody made the step" in shown


def test_canary_that_was_skipped(tmp_path):
    """Why it was is why the run stopped."""
    hosts = {"c1": {"outcome": "skipped", "reasons": ["no_cookie"]}}
    shown = ended(tmp_path / "rollout-1.jsonl", {"verdict": "inconclusive"}, hosts, outcome="skipped", why="no_cookie")
    assert "Why canary: nobody is left c1 skipped: no_cookie" in shown


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        (["skipped", "skipped"], "Nothing could be done: everybody is skipped"),
        (["skipped", "promoted"], "Nothing had to be done"),
    ],
)
def test_run_without_a_wave(tmp_path, outcomes, headline):
    """Nobody was eligible, or all have their stage, or cannot have it."""
    path = tmp_path / "rollout-1.jsonl"
    hosts = [{"host": f"c{number}", "side": "client", "outcome": one} for number, one in enumerate(outcomes)]
    write(path, Journal("", "rollout", "", [{"step": "preflight"}, {"step": "end", "hosts": hosts}]))
    assert f"harm. {headline} What happened" in words(page(path))


def test_sides_of_a_host_that_left_before_its_waves(tmp_path):
    """It counts on each of them; what else a step changes is told of hosts that have it."""
    sides = [{"host": "h", "side": "", "outcome": "unreachable", "why": "not reached"}]
    sides.append({"host": "s", "side": "server", "outcome": "reverted", "why": "x"})
    preflight = {"step": "preflight", "sides": {"h": ["server", "client"]}, "also": {"s": "bit 0x400", "h": "bit"}}
    path = tmp_path / "rollout-1.jsonl"
    write(path, Journal("", "rollout", "", [preflight, {"step": "end", "hosts": sides}]))
    shown = words(page(path))
    assert "Servers that accept SYN data for good: 0 of 2. Clients that send it for good: 0 of 1." in shown
    assert "1 reverted (plain TCP again); 2 unreachable (not known what runs there)." in shown
    assert "Also changed" not in shown
