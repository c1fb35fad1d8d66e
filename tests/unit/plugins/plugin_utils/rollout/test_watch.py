# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is followed: its journal grows while the watch sleeps."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _status_lines, _watch
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._run_journal import (
    LEASE_SECONDS,
    at,
    end,
    plan,
    report,
    wave,
    write,
)

STEPPED = wave("batch 1", "stepped", ss1="stepped")
ALL = [
    plan(),
    wave("batch 1", "begin", ss1=""),
    wave("batch 1", "measured", ss1=""),
    STEPPED,
    wave("batch 1", "closed", "promote", ss1="promoted"),
    end("", {}, ss1="promoted"),
]


@pytest.fixture
def follow(tmp_path):
    """Follow a journal that has so many of ALL its events at each of these seconds; the shown lines, and how it ended."""

    def call(moments):
        path, shown, clock, left = tmp_path / "journal.jsonl", [], [0.0], list(moments)

        def sleep(_seconds):
            clock[0], count = left.pop(0)
            write(path, report(*ALL[:count]))

        sleep(0)
        return _watch.follow(str(path), shown.append, lambda: at(clock[0]), sleep), shown

    return call


def test_line_a_change(follow):
    """First how it stands, then what is new, also what comes by the clock alone; the end ends it."""
    status, shown = follow([(5, 1), (6, 1), (25, 3), (35, 4), (36, 4), (331, 4), (332, 4), (340, 6)])
    assert status.ended
    assert shown[0].splitlines()[:3] == [
        "Run 20261126T031344-46975, begun 2026-11-26 03:13:44 UTC by root@ctl",
        "Preflight is over, steps to come: 3",
        "  waits for    its hosts to be held, and deployed where nothing runs yet, since 2026-11-26 03:13:44 UTC",
    ]
    assert [line for line in shown if line.startswith("03:1")] == [
        "03:13:54  1 of 3, batch 1: 1 under way; waits for the measurement before the step",
        "03:14:04  1 of 3, batch 1: 1 under way; waits for the step of its hosts, and its proof",
        "03:14:14  1 of 3, batch 1: 1 stepped; waits for the bake, until 03:19:14",
        "03:19:14  1 of 3, batch 1: 1 stepped; waits for the measurement after the step",
        "03:14:24  1 of 3, batch 1, promote: 1 promoted; waits for canary to begin",
        "03:14:34  1 of 3, batch 1, promote: 1 promoted; the run has ended",
    ]


def test_journal_is_read_when_it_has_grown(follow, monkeypatch):
    """Not at each look."""
    reads, read = [], _watch._journal.read
    monkeypatch.setattr(_watch._journal, "read", lambda path: (reads.append(path), read(path))[1])
    follow([(5, 1), (6, 1), (7, 1), (8, 1), (25, 6)])
    assert len(reads) == 2


def test_run_that_falls_silent(follow):
    """It is left."""
    status, _shown = follow([(5, 1), (6, 2), (10 + LEASE_SECONDS + 1, 2)])
    assert (status.died, status.ended) == ("silent", False)


def test_run_whose_process_is_gone(follow, monkeypatch):
    """It is left at once, but for one that wrote its end just before."""
    monkeypatch.setattr(_watch._process, "gone", lambda told: told == "")
    status, shown = follow([(5, 2)])
    assert (status.died, status.ended, shown) == ("gone", False, [])
    *_more, waited, _outcome, _outcome, _outcome, last = _status_lines.lines(status, at(5))
    assert waited.startswith("  waited for   the measurement before the step, since")
    assert last.startswith("It does not go on: its process is gone. Hosts undo by themselves")
    assert "; until then another run over them needs -e rollout_take_over=20261126T031344-46975. Next, " in last


def test_run_that_ends_while_it_is_looked_at(tmp_path, monkeypatch):
    """What it wrote before its process went is read."""
    path = tmp_path / "journal.jsonl"
    write(path, report(*ALL[:5]))

    def gone(_told):
        write(path, report(*ALL))
        return True

    monkeypatch.setattr(_watch._process, "gone", gone)
    _report, status = _watch.look(str(path), lambda: at(60))
    assert (status.ended, status.died) == (True, "")


def test_journal_that_goes_away(tmp_path, monkeypatch):
    """While it is looked at: it is said that it cannot be read."""
    monkeypatch.setattr(_watch.os.path, "exists", lambda _path: True)
    with pytest.raises(_watch._journal.JournalError, match="the journal cannot be read"):
        _watch.look(str(tmp_path / "gone.jsonl"), lambda: at(0))


def test_run_that_has_ended(follow):
    """There is nothing to follow: only how it ended, which the caller shows."""
    status, shown = follow([(5, 6)])
    assert (status.ended, shown) == (True, [])
