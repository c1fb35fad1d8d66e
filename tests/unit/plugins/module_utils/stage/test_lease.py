# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claim, lease, take-over: who may step on a host, and until when."""

from __future__ import annotations

import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lease, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def timers(stage):
    """The lease timers that run."""
    return sorted(unit for unit in stage.host.transient if unit.startswith("fastopen-lease-"))


def test_claim_and_release(stage, side):
    """The program is there before the timer needs it; nothing is left after the release."""
    result = stage.ask("claimed", side)
    assert (result.outcome, result.changed) == ("claimed", False)
    lease = stage.lease()
    assert (lease["run"], lease["who"], lease["units"]) == ("run1", "me@here", {})
    assert timers(stage) == [f"{lease['timer']}.timer"]
    (command,) = [line for line in stage.host.done if line.startswith("systemd-run")]
    assert command.endswith(f"{_record.PROGRAM} expire run1")
    assert "--on-active=60.000" in command
    assert "AccuracySec=1s" in command
    for kept in ("--timer-property=IgnoreOnIsolate=yes", "--timer-property=DefaultDependencies=no"):
        assert kept in command
    assert stage.host.program.exists()
    assert stage.ask("released", side).outcome == "released"
    assert (stage.lease(), timers(stage)) == ({}, [])


def test_second_run_is_refused_by_name(stage, side):
    """Told whose it is, until when, and how to take it over."""
    stage.ask("claimed", side)
    for state in ("claimed", "stepped", "present"):
        result = stage.ask(state, side, run="run2")
        assert (result.outcome, result.changed) == ("refused", False)
        assert result.reasons[0].startswith("claimed by run run1 of me@here since ")
        assert "-e rollout_take_over=run1" in result.reasons[0]
    assert stage.ask("stepped", side, run="run2", check=True).outcome == "refused"
    assert stage.observe() == stage.plain
    assert stage.ask("released", side, run="run2").outcome == "released"
    assert stage.lease()["run"] == "run1"


def test_claim_that_ended_is_nobodys(stage, side):
    """The next run has it."""
    stage.ask("claimed", side)
    stage.end_lease()
    assert stage.ask("claimed", side, run="run2").outcome == "claimed"
    assert stage.lease()["run"] == "run2"


def test_take_over(stage, side):
    """With its step, which the new run may confirm; the old run is told so at its next call."""
    stage.ask("stepped", side)
    result = stage.ask("claimed", side, run="run2", who="you@there", take_over="run1")
    assert (result.outcome, list(stage.lease()["units"])) == ("claimed", [UNITS[side]])
    for state in ("stepped", "confirmed", "claimed"):
        late = stage.ask(state, side)
        assert late.outcome == "refused"
        assert "run run1 has no say on this host any more: run run2 of you@there took it over at" in late.reasons[0]
    assert stage.ask("confirmed", side, run="run2").outcome == "confirmed"


def test_take_over_of_somebody_else(stage, side):
    """The name must be the one that holds the host."""
    stage.ask("claimed", side)
    assert stage.ask("claimed", side, run="run3", take_over="run2").outcome == "refused"


@pytest.mark.parametrize("years", [-30, 30])
def test_wall_clock_that_jumps(stage, side, monkeypatch, years):
    """A lease neither ends by that nor lives longer."""
    for state in ("claimed", "stepped"):
        assert stage.ask(state, side).outcome == state
    jumped = time.time() + years * 365 * 86400
    monkeypatch.setattr(time, "time", lambda: jumped)
    assert "claimed by run run1" in stage.ask("claimed", side, run="run2").reasons[0]
    stage.end_lease()
    assert "has ended" in stage.ask("confirmed", side).reasons[0]
    assert stage.ask("plain", side).outcome == "plain"
    assert stage.ask("stepped", side).outcome == "stepped"
    assert stage.ask("confirmed", side).outcome == "confirmed"


def test_step_of_a_dead_run_is_undone_first(stage, side):
    """Its timer did not come to it: the next run does not build on what nobody judged."""
    stage.ask("stepped", side)
    stage.end_lease()
    assert stage.ask("claimed", side, run="run2").outcome == "claimed"
    assert (stage.places(side), stage.flagged(side)) == ([], False)
    assert _record.load().undone[UNITS[side]]["by"] == "lease"


def test_renewal_never_leaves_the_host_without_a_timer(stage, side):
    """The new one runs and is kept before the old one stops."""
    stage.ask("claimed", side)
    (old,) = timers(stage)
    deadline = stage.lease()["deadline"]
    stage.host.done.clear()
    stage.ask("claimed", side, lease_seconds=90.0)
    assert stage.lease()["deadline"] >= deadline + 30
    assert [line.split()[0] for line in stage.host.done] == ["systemd-run", "stop"]
    assert stage.host.done[1] == f"stop {old}"
    assert len(timers(stage)) == 1


def test_keep(stage, side):
    """A measurement renews its own run's lease, no other, and none that ended."""
    _lease.keep("run1", 30.0)
    assert stage.lease() == {}
    stage.ask("claimed", side)
    before = stage.lease()
    _lease.keep("run2", 900.0)
    assert stage.lease() == before
    _lease.keep("run1", 900.0)
    assert stage.lease()["deadline"] > before["deadline"] + 800
    assert stage.lease()["who"] == "me@here"
    stage.end_lease()
    before = stage.lease()
    _lease.keep("run1", 900.0)
    assert stage.lease() == before


def test_release_of_a_step(stage, side):
    """It stays under its lease, which undoes it."""
    stage.ask("stepped", side)
    result = stage.ask("released", side)
    assert result.outcome == "failed"
    assert "not confirmed, the lease undoes that" in result.reasons[0]
    assert len(timers(stage)) == 1


@pytest.mark.parametrize("state", ["plain", "killed"])
def test_rollback_takes_the_host(server, state):
    """It waits for nobody; the run is told who and when at its next call."""
    server.ask("stepped", "server")
    assert server.ask(state, "server", run="", who="ops@desk", why="rollback of all").outcome == state
    assert (server.lease(), timers(server)) == ({}, [])
    late = server.ask("confirmed", "server")
    assert late.outcome == "refused"
    assert "rollback of all by ops@desk at " in late.reasons[0]


def test_revert_keeps_the_claim(stage, side):
    """A run's own way down is no end of it."""
    stage.ask("stepped", side)
    assert stage.ask("plain", side).outcome == "plain"
    assert (stage.lease()["run"], stage.lease()["units"]) == ("run1", {})
    assert stage.ask("stepped", side).outcome == "stepped"


def test_no_timer_no_lease(stage, side, monkeypatch):
    """The old lease stays as it was where a new timer cannot be had."""
    stage.ask("stepped", side)
    before, running = stage.lease(), timers(stage)

    def refuse(*_words):
        raise _systemd.SystemdError("no timer")

    monkeypatch.setattr(_systemd, "run_transient", refuse)
    with pytest.raises(_systemd.SystemdError):
        stage.ask("claimed", side, lease_seconds=900.0)
    assert (stage.lease(), timers(stage)) == (before, running)


def test_timer_that_has_elapsed(stage, side, monkeypatch):
    """There is nothing to stop then, and that is no failure."""
    stage.ask("claimed", side)
    stage.host.transient.clear()
    assert stage.ask("claimed", side).outcome == "claimed"
    stop = _systemd.systemctl

    def not_loaded(*words):
        if words[0] == "stop":
            raise _systemd.SystemdError("not loaded")
        return stop(*words)

    monkeypatch.setattr(_systemd, "systemctl", not_loaded)
    assert stage.ask("released", side).outcome == "released"
    assert stage.lease() == {}


def test_role_finds_the_lease_of_a_killed_role(stage, side):
    """A role is one call, which holds the lock while it lives: nobody has to wait for one that is dead."""
    stage.ask("stepped", side, run="role-1")
    assert stage.ask("claimed", side, run="run2").outcome == "claimed"
    assert stage.lease()["run"] == "run2"


def test_take_over_in_check_mode(stage, side):
    """It would; nothing is taken yet."""
    stage.ask("stepped", side)
    before, running = stage.lease(), timers(stage)
    assert stage.ask("claimed", side, run="run2", take_over="run1", check=True).outcome == "claimed"
    assert (stage.lease(), timers(stage)) == (before, running)


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
@pytest.mark.parametrize("name", ["lease.json", "ended.json"])
def test_damaged_claim(stage, side, name, text):
    """Nobody can tell whose the host is: nothing goes up, and the message says what to do."""
    stage.ask("claimed", side)
    stage.host.put(stage.host.run_dir / name, text)
    for state in ("claimed", "stepped", "present"):
        with pytest.raises(_record.RecordError, match=rf"{name} is damaged .*: move it away and run again"):
            stage.ask(state, side)
    assert stage.observe() == stage.plain
    assert stage.ask("plain", side, run="").outcome == ("failed" if name == "lease.json" else "plain")
    assert stage.ask("claimed", side, run="run2").outcome == "claimed"


@pytest.mark.parametrize("way_down", ["plain", "killed"])
@pytest.mark.parametrize("check", [True, False])
def test_way_down_that_yields_to_a_run(server, way_down, check):
    """What somebody holds stays as it is, with the name of the run; the run goes on to have its say."""
    server.ask("stepped", "server")
    before = server.observe()
    result = server.ask(way_down, "server", run="", yield_to_claim=True, check=check)
    assert (result.outcome, result.changed) == ("refused", False)
    assert result.reasons[0].startswith("claimed by run run1 of me@here since ")
    assert server.observe() == before
    assert server.ask("confirmed", "server").outcome == "confirmed"


@pytest.mark.parametrize(("way_down", "outcome"), [("plain", "plain"), ("killed", "killed")])
def test_way_down_that_yields_to_nobody(server, way_down, outcome):
    """It goes down as it always does."""
    server.ask("present", "server")
    assert server.ask(way_down, "server", run="", yield_to_claim=True).outcome == outcome
    assert server.host.sysctl() == "1"


def test_way_down_that_yields_to_a_claim_that_ended(server):
    """Whoever held the host has no say any more."""
    server.ask("stepped", "server")
    server.end_lease()
    assert server.ask("plain", "server", run="", yield_to_claim=True).outcome == "plain"
    assert server.observe() == server.plain


def test_way_down_that_cannot_read_the_claim(server, monkeypatch):
    """It goes down: that is safe, and staying may not be."""
    server.ask("present", "server")

    def damaged():
        raise _record.RecordError("damaged")

    monkeypatch.setattr(_record, "load_lease", damaged)
    server.ask("plain", "server", run="", yield_to_claim=True)
    assert server.host.sysctl() == "1"
