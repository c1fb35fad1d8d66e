# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back at a look of the guard: what it took off comes back once it is proven good, where it may."""

from __future__ import annotations

import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine, _state, _tick
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils.guard.conftest import look

UNIT = "ss-local@main.service"


def hold_ends():
    """Let the hold time pass."""
    kept = _state.load()
    kept.machine.taken[UNIT].due = time.time() - 1
    _state.store(kept)


@pytest.fixture(name="taken")
def fixture_taken(client, path, said):
    """A client that was confirmed, and that the guard took off; by now the path is good again."""
    client.ask("present", "client")
    path["fast"] = True
    look(said)
    path["fast"] = False
    return client


def test_no_return(taken, said):
    """It does not come back by itself, and not before its time."""
    hold_ends()
    look(said, because="look")
    assert not taken.flagged("client")
    kept = _state.load()
    kept.machine.taken[UNIT].due = time.time() + 100
    _state.store(kept)
    look(said, because="look", returns=True)
    assert not taken.flagged("client")


def test_return(taken, said):
    """By the way up that everybody takes: proven and confirmed, and no claim is left."""
    hold_ends()
    assert look(said, because="look", returns=True) == 0
    assert (taken.flagged("client"), taken.places("client"), taken.lease()) == (True, ["confirmed"], {})
    assert (_record.load().undone, list(_record.load().units)) == ({}, [UNIT])
    assert _record.load().units[UNIT]["servers"] == [["203.0.113.7", 8388]]
    assert _state.load().machine.taken[UNIT].returned > 0


def test_first_hold_time(client, path, said):
    """As the role says."""
    client.ask("present", "client")
    path["fast"] = True
    look(said, hold=7.0)
    taken = _state.load().machine.taken[UNIT]
    assert (taken.hold, round(taken.due - taken.at)) == (7.0, 7)
    assert float(_tick.read(_state.tick_path())["look_at"]) == taken.due


def test_return_over_a_bad_path(taken, path, said):
    """Stays plain, for twice as long."""
    path["fast"] = True
    hold_ends()
    look(said, because="look", returns=True)
    assert not taken.flagged("client")
    assert _state.load().machine.taken[UNIT].hold == 2 * _machine.HOLD_SECONDS


def test_rollout_after_a_return_that_failed(taken, path, said):
    """What its attempts have shown is no evidence against a client that a rollout has proven since."""
    path["fast"] = True
    hold_ends()
    look(said, because="look", returns=True)
    path["fast"] = False
    taken.ask("present", "client", retry=True)
    look(said, because="look", returns=True)
    assert taken.flagged("client")


def test_return_that_is_in_the_way(taken, path, said):
    """While a run holds the host nothing is tried; what an operator decided stands; what is not eligible stays plain."""
    hold_ends()
    taken.ask("claimed", "client", run="run2")
    made = path["made"]
    look(said, because="look", returns=True)
    assert (path["made"], taken.flagged("client")) == (made, False)
    taken.ask("released", "client", run="run2")
    taken.host.verdicts[8388] = "syn_dropped"
    look(said, because="look", returns=True)
    assert not taken.flagged("client")
    assert "stays plain: syn_dropped" in said[-1]


def test_operator_decides(taken, said):
    """After a rollback, whatever its scope, nothing comes back."""
    taken.ask("plain", "client", run="")
    hold_ends()
    look(said, because="look", returns=True)
    assert not taken.flagged("client")
    taken.ask("plain", "client", run="", memory="forget")
    assert _state.load() == _state.Kept()
    look(said, because="look", returns=True)
    assert not taken.flagged("client")


def test_what_was_never_confirmed_does_not_come_back(client, path, said):
    """It was a rollout's try, and that has read it as reverted."""
    client.ask("stepped", "client")
    path["fast"] = True
    look(said)
    path["fast"] = False
    hold_ends()
    look(said, because="look", returns=True)
    assert not client.flagged("client")
