# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirming a step: what it writes, in which order, and what it says where there is none."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def test_confirm(stage, side):
    """The same drop-in in /etc, the line, no restart; the lease has nothing left to undo."""
    stage.ask("stepped", side)
    pids = dict(stage.host.running)
    result = stage.ask("confirmed", side)
    assert (result.outcome, result.reasons) == ("confirmed", [])
    assert (stage.places(side), stage.flagged(side), stage.host.running) == (["confirmed"], True, pids)
    assert (stage.boot(), stage.lease()["units"]) == ("3" if side == "server" else None, {})
    assert list(_record.load().units) == [UNITS[side]]
    assert not _systemd.show([UNITS[side]])[UNITS[side]].needs_reload
    again = stage.ask("confirmed", side)
    assert (again.outcome, again.changed) == ("confirmed", False)
    proven = stage.ask("stepped", side)
    assert (proven.outcome, proven.changed, stage.host.running) == ("confirmed", False, pids)


def test_confirm_is_committed_by_the_lease(stage, side, monkeypatch):
    """Record, line and drop-in are there before the lease lets go: whatever is killed before that is undone."""
    seen = []
    store = _record.store_lease

    def look(lease):
        seen.append((list(_record.load().units), stage.boot(), stage.places(side)))
        store(lease)

    stage.ask("stepped", side)
    monkeypatch.setattr(_record, "store_lease", look)
    stage.ask("confirmed", side)
    assert seen[0] == ([UNITS[side]], "3" if side == "server" else None, ["stepped", "confirmed"])


def test_confirm_in_check_mode(stage, side):
    """A plan, and nothing else; also where a killed confirmation left its drop-in in /run."""
    stage.ask("stepped", side)
    text = open(_drop_in.path(UNITS[side], _drop_in.STEPPED), encoding="utf-8").read()
    before, lease = stage.observe(), stage.lease()
    assert stage.ask("confirmed", side, check=True).outcome == "planned"
    assert (stage.observe(), stage.lease()) == (before, lease)
    stage.ask("confirmed", side)
    stage.host.put(_drop_in.path(UNITS[side], _drop_in.STEPPED), text)
    before = stage.observe()
    assert (stage.ask("confirmed", side, check=True).outcome, stage.observe()) == ("confirmed", before)
    assert stage.ask("confirmed", side).outcome == "confirmed"
    assert stage.places(side) == ["confirmed"]


def test_confirm_of_one_side(both):
    """The other one's step stays under the lease, which undoes it with the bits that only it needs."""
    for one in ("server", "client"):
        both.ask("stepped", one)
    assert both.ask("confirmed", "client").outcome == "confirmed"
    assert (both.places("client"), both.places("server")) == (["confirmed"], ["stepped"])
    assert list(both.lease()["units"]) == [UNITS["server"]]
    assert both.ask("plain", "server").outcome == "plain"
    assert (both.flagged("client"), both.host.sysctl(), both.boot()) == (True, "1", None)


def test_confirm_over_a_drop_in_that_wins(stage, side):
    """It would be undone by that file at the next restart: nothing is written, and the step stays under its lease."""
    stage.ask("stepped", side)
    own = stage.host.unit_dir / f"{UNITS[side]}.d/zzz.conf"
    stage.host.put(own, "[Service]\nExecStart=\nExecStart=/usr/bin/ss-local -v\n")
    stage.host._systemctl("daemon-reload")
    before, lease = stage.observe(), stage.lease()
    result = stage.ask("confirmed", side)
    assert result.outcome == "failed"
    assert f"{own} sets ExecStart and comes after zz-fastopen.conf" in result.reasons[0]
    assert (stage.observe(), stage.lease()) == (before, lease)


def test_confirm_over_an_edit(stage, side):
    """What was edited during the bake never ran: it is not made to last as if it had."""
    stage.ask("stepped", side)
    unit = stage.host.unit_dir / UNITS[side].replace("main", "")
    unit.write_text(unit.read_text().replace("json", "json -v"))
    stage.host._systemctl("daemon-reload")
    before = stage.observe()
    result = stage.ask("confirmed", side)
    assert (result.outcome, result.changed) == ("failed", False)
    assert f"{unit}, or our drop-in over it, changed after the step" in result.reasons[0]
    assert stage.observe() == before


def test_confirm_holds_the_host_on(stage, side):
    """Its run has more to do here: the claim counts anew from the confirmation, whatever was left of the step's."""
    stage.ask("stepped", side, lease_seconds=60.0)
    timer, deadline = stage.lease()["timer"], stage.lease()["deadline"]
    stage.ask("confirmed", side, lease_seconds=600.0)
    assert stage.lease()["deadline"] > deadline + 500
    assert (f"{timer}.timer" in stage.host.transient, f"{stage.lease()['timer']}.timer" in stage.host.transient) == (
        False,
        True,
    )


def test_confirm_by_another_run(stage, side):
    """It is not its step, and it is not undone for it."""
    stage.ask("stepped", side)
    result = stage.ask("confirmed", side, run="run2")
    assert (result.outcome, result.reasons[0].partition(" of ")[0]) == ("refused", "claimed by run run1")
    assert (stage.places(side), _record.load().units) == (["stepped"], {})
    assert stage.ask("confirmed", side).outcome == "confirmed"


def test_confirm_of_what_was_tried_again(stage, side):
    """It is forgotten what took it off before: the next run goes on without being told to try again."""
    stage.ask("stepped", side)
    stage.ask("plain", side, memory="add", why="slower")
    stage.ask("stepped", side, retry=True)
    stage.ask("confirmed", side)
    assert (_record.load().undone, stage.ask("stepped", side, run="run1").outcome) == ({}, "confirmed")


def test_confirm_without_a_step(stage, side):
    """An error that says what there is."""
    result = stage.ask("confirmed", side)
    assert result.outcome == "refused"
    assert "there is no step to confirm; nothing is kept of one" in result.reasons[0]


def test_confirm_after_the_lease_ended(stage, side):
    """Even where its timer has not come to it yet."""
    stage.ask("stepped", side)
    stage.end_lease()
    result = stage.ask("confirmed", side)
    assert (result.outcome, "undoes the step by itself" in result.reasons[0]) == ("refused", True)
    assert stage.places(side) == ["stepped"]


def test_confirm_of_a_service_that_lost_its_flag(stage, side):
    """Somebody took the drop-in away and restarted: that is not what was judged."""
    stage.ask("stepped", side)
    os.unlink(_drop_in.path(UNITS[side], _drop_in.STEPPED))
    stage.host._systemctl("daemon-reload")
    stage.host._systemctl("restart", UNITS[side])
    result = stage.ask("confirmed", side)
    assert result.outcome == "failed"
    assert f"{UNITS[side]} runs without --fast-open" in result.reasons[0]


def test_record_that_cannot_be_written(stage, side, monkeypatch):
    """A step that could not be remembered does not happen; a confirmation fails and leaves it to the lease."""

    def full(_record_):
        raise OSError(28, "No space left on device")

    stage.ask("stepped", side)
    monkeypatch.setattr(_record, "store", full)
    with pytest.raises(OSError, match="No space"):
        stage.ask("confirmed", side)
    assert (stage.places(side), list(stage.lease()["units"])) == (["stepped"], [UNITS[side]])
