# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run stands, at each of its moments, from the events so far."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _status, _status_lines, _times
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._journal import Journal
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._run_journal import (
    LEASE_SECONDS,
    RUN,
    at,
    end,
    plan,
    report,
    wave,
)

SERVERS = [wave("batch 1", "begin", ss1=""), wave("batch 1", "closed", "promote", ss1="promoted")]


@pytest.mark.parametrize(
    ("events", "step", "waits"),
    [
        ([], 0, "its hosts to be held, and deployed where nothing runs yet"),
        ([wave("batch 1", "begin", ss1="")], 1, "the measurement before the step"),
        ([wave("batch 1", "measured", ss1="")], 1, "the step of its hosts, and its proof"),
        ([wave("batch 1", "stepped", ss1="stepped")], 1, "the bake"),
        ([wave("batch 1", "stepped", "promote", ss1="promoted")], 1, "the step to be made to last, or taken back"),
        ([wave("batch 1", "judged", ss1="stepped")], 1, "more requests, for it is not clear yet"),
        ([wave("batch 1", "judged", "roll_back", ss1="reverted")], 1, "the step to be made to last, or taken back"),
        ([wave("batch 1", "judged_again", "promote", ss1="promoted")], 1, "the step to be made to last, or taken back"),
        ([wave("batch 1", "closed", "promote", ss1="promoted")], 1, "canary to begin"),
        ([wave("batch 1", "closed", "roll_back", ss1="reverted")], 1, "the end: who was lost is tried once more, and"),
        ([wave("batch 1", "begin", "inconclusive", ss1="")], 1, "the end: who was lost is tried once more, and"),
        ([*SERVERS, wave("canary", "begin", c1="")], 2, "the measurement before the step"),
        ([*SERVERS, wave("wave 1", "closed", "promote", c2="promoted")], 3, "the end: who was lost is tried once more"),
    ],
)
def test_waits(events, step, waits):
    """Each moment between two events tells what comes next, and since when that is."""
    journal = report(plan(), *events)
    status = _status.of(journal, at(60))
    assert (status.step, status.steps) == (step, 3)
    assert status.waits.startswith(waits)
    assert (status.since, status.ended, status.died) == (journal.events[-1]["time"], False, "")


@pytest.mark.parametrize(
    ("now", "waits", "since", "until"),
    [(309.9, "the bake", 10, 310), (310, "the measurement after the step", 310, None)],
)
def test_bake(now, waits, since, until):
    """It ends by the clock; what comes then waits since that moment."""
    status = _status.of(report(plan(), wave("canary", "stepped", c1="stepped")), at(now))
    assert (status.waits, _times.moment(status.since)) == (waits, at(since))
    assert (_times.moment(status.until) if status.until else None) == (at(until) if until else None)


def test_lines_of_a_run_that_goes_on():
    """Who, where, hosts by outcome, what it waits for, how long still, and what to do."""
    journal = report(plan(), *SERVERS, wave("canary", "stepped", c1="stepped"))
    assert _status_lines.lines(_status.of(journal, at(160)), at(160)) == [
        f"Run {RUN}, begun 2026-11-26 03:13:44 UTC by root@ctl",
        "Step 2 of 3: canary (clients)",
        "  waits for    the bake, since 2026-11-26 03:14:14 UTC, 2 min 50 s left (until 2026-11-26 03:19:14 UTC)",
        "  promoted     1: ss1",
        "  stepped      1: c1",
        "  to come      2: c2, c3",
        "  no step      1: ss2",
        "Next: nothing to do; ansible-playbook fastopen.shadowsocks.status -e status_watch=true follows it",
    ]


def test_bake_of_a_run_that_died():
    """It has no time left."""
    status = _status.of(report(plan(), wave("canary", "stepped", c1="stepped")), at(60))
    lines = _status_lines.lines(dataclasses.replace(status, died=_status.GONE), at(60))
    assert lines[2] == "  waited for   the bake, since 2026-11-26 03:13:54 UTC"


def test_refused_in_the_preflight():
    """They are told of from the plan on, not at the end alone, and so are those that it did not reach."""
    gone = [{"host": "c5", "side": "", "outcome": "unreachable", "why": "not reached"}]
    begun = plan(refused={"c4": "c4: no kernel. Nothing was changed on it."}, gone=gone)
    status = _status.of(report(begun, *SERVERS), at(60))
    assert status.outcomes == {
        "promoted": ["ss1"],
        "refused": ["c4"],
        "unreachable": ["c5"],
        "to come": ["c1", "c2", "c3"],
        "no step": ["ss2"],
    }


def test_lines_of_a_run_that_stopped():
    """Which step stopped it and why, who is amiss, and what comes next."""
    why = ("2 of 3 are bad so far (c1, c2): too many",)
    bad = wave("canary", "closed", "roll_back", why, c1="reverted")
    amiss = {f"c{number}": "reverted: slower" for number in range(1, 14)}
    journal = report(plan(), *SERVERS, bad, end("canary", amiss, ss1="promoted", c1="reverted"))
    lines = _status_lines.lines(_status.of(journal, at(9000)), at(9000))
    assert lines[1:6] == [
        "Step 2 of 3: canary (clients), roll_back",
        f"  because      {why[0]}",
        "Ended 2026-11-26 03:14:24 UTC, after 40 s: stopped at canary",
        "  promoted     1: ss1",
        "  reverted     1: c1",
    ]
    assert lines[6] == "    c1: reverted: slower"
    assert lines[-2:] == [
        "    and 3 more, all of them in the journal",
        "Next: ansible-playbook fastopen.shadowsocks.audit",
    ]


@pytest.mark.parametrize(
    ("amiss", "said"), [({}, _status_lines.FINE), ({"c1": "failed: it does not come up"}, "not all is well")]
)
def test_lines_of_a_run_that_was_not_stopped(amiss, said):
    """An end is an end, however long ago."""
    status = _status.of(report(plan(), end("", amiss, c1="promoted")), at(99_999))
    assert f"Ended 2026-11-26 03:13:54 UTC, after 10 s: {said}" in _status_lines.lines(status, at(99_999))
    assert not status.died


def test_run_that_ended_in_its_preflight():
    """No step was begun, and why."""
    nothing = {"hosts": [], "waves": {}, "lease_seconds": 0.0}
    last = end("the preflight", {"c1": "no --fast-open"}, c1="refused")
    status = _status.of(report(plan(refused={"c1": "c1: no --fast-open"}, **nothing), last), at(99_999))
    assert (status.ended, status.died) == (True, "")
    lines = _status_lines.lines(status, at(99_999))
    assert lines[1:5] == [
        "No step was begun",
        "Ended 2026-11-26 03:13:54 UTC, after 10 s: stopped at the preflight",
        "  refused      1: c1",
        "    c1: no --fast-open",
    ]


@pytest.mark.parametrize(("now", "silent"), [(LEASE_SECONDS + 10, False), (LEASE_SECONDS + 11, True)])
def test_run_that_fell_silent(now, silent):
    """Longer than its hosts wait for it."""
    status = _status.of(report(plan(), wave("batch 1", "begin", ss1="")), at(now))
    last = _status_lines.lines(status, at(now))[-1]
    said = "It does not go on: nothing was written for 16 min 41 s, longer than the lease of its hosts."
    assert (bool(status.died), last.startswith(said)) == (
        silent,
        silent,
    )


@pytest.mark.parametrize(
    ("limit", "command"),
    [
        ("", "ansible-playbook fastopen.shadowsocks.rollout"),
        ("all:!c2", "ansible-playbook fastopen.shadowsocks.rollout --limit 'all:!c2'"),
    ],
)
def test_run_that_died_is_run_again(limit, command):
    """Over the hosts of its limit."""
    status = _status.of(report(plan(limit=limit)), at(9999))
    assert _status_lines.lines(status, at(9999))[-1].endswith(f"once what stopped it is mended: {command}")


def test_change():
    """One line: when, which step, what became of its hosts, what comes next."""
    journal = report(plan(), *SERVERS, wave("wave 1", "stepped", c2="stepped", c3="failed"))
    assert _status_lines.change(_status.of(report(plan()), at(0))).startswith(
        "03:13:44  preflight; waits for its hosts to be held"
    )
    assert (
        _status_lines.change(_status.of(journal, at(40)))
        == "03:14:14  3 of 3, wave 1: 1 failed, 1 stepped; waits for the bake, until 03:19:14"
    )
    ended = report(plan(), *SERVERS, end("", {}, ss1="promoted"))
    assert (
        _status_lines.change(_status.of(ended, at(40)))
        == "03:14:14  1 of 3, batch 1, promote: 1 promoted; the run has ended"
    )


@pytest.mark.parametrize(
    ("journal", "said"),
    [
        (Journal("", "audit", "", []), "it is not the journal of a rollout, but of an audit"),
        (report({}), "the plan of its run is not in it"),
        (Journal("", "rollout", "", [], unread=1), r"the plan of its run is not in it\. The journal is not whole"),
        (report({"step": "preflight"}), "it is not the journal of a rollout, or it is damaged: KeyError 'run'"),
        (report(plan(), {"step": "wave", "time": "x"}), "it is damaged: ValueError Invalid isoformat string: 'x'"),
    ],
)
def test_not_a_journal(journal, said):
    """Said as such."""
    with pytest.raises(_status.StatusError, match=said):
        _status.of(journal, at(0))


def test_first_line_that_does_not_tell_when():
    """The plan does: it is written with it."""
    journal = dataclasses.replace(report(plan(), *SERVERS, end()), started="")
    shown = _status_lines.lines(_status.of(journal, at(60)), at(60))
    assert shown[0] == f"Run {RUN}, begun 2026-11-26 03:13:44 UTC by root@ctl"


JUNK = (None, -1, 1e300, float("inf"), "x", [], {}, [None], {"x": None}, "2026-11-26T03:13:44")


def broken(value):
    """This value, with each of what is in it taken away, or replaced by something else."""
    for key in value if isinstance(value, dict) else range(len(value)):
        less = value.copy()
        del less[key]
        yield less
        inner = broken(value[key]) if isinstance(value[key], (dict, list)) else ()
        for other in (*JUNK, *inner):
            same = value.copy()
            same[key] = other
            yield same


def test_journal_of_any_shape():
    """It is read as far as it can be, or it is said why not."""
    bad = wave("canary", "closed", "roll_back", ("late",), c1="reverted")
    whole = report(
        plan(refused={"c4": "c4: no"}),
        wave("batch 1", "stepped", ss1="stepped"),
        bad,
        end("canary", {"c1": "late"}, c1="reverted"),
    )
    read = 0
    for events in (some for count in range(1, 5) for some in broken(whole.events[:count])):
        journal = dataclasses.replace(whole, events=[one for one in events if isinstance(one, dict)])
        try:
            status = _status.of(journal, at(60))
        except _status.StatusError:
            continue
        read += 1
        assert all(isinstance(line, str) for line in _status_lines.lines(status, at(60)))
        assert _status_lines.change(status)
    assert read > 500


def test_journal_that_has_just_begun():
    """Its plan comes with its first event."""
    with pytest.raises(_status.StatusError, match="its run has not told its plan yet"):
        _status.of(report(), at(0))


def test_journal_that_is_not_whole():
    """It is said first, for what follows may be old."""
    journal = dataclasses.replace(report(plan(), *SERVERS), unread=1)
    shown = _status_lines.lines(_status.of(journal, at(30)), at(30))
    assert shown[1] == "The journal is not whole: 1 line of it cannot be read; it was cut short while it was written."
