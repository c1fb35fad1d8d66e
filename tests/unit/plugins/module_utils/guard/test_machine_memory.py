# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the guard leaves a service alone, and what it forgets of a path."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _evidence, _machine
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target

ONE = Target("ss-local@main.service", "203.0.113.7", 8388)
OTHER = Target("ss-local@other.service", "203.0.113.8", 8388)
ENTRY = {"servers": [["203.0.113.7", 8388]]}
LOST, FINE = Pair(1000.0, False, True), Pair(1000.0, False, False)


def look(now=1000.0, suspected=False, **change):
    """A look at both."""
    return _machine.Host(now, suspected, [ONE, OTHER], **change)


def test_return_that_failed_waits():
    """Each look until then tries nothing; the one after it does."""
    state = _machine.State()
    _machine.took_off(state, ONE.unit, ENTRY, "lost", 1000.0, 100.0)
    _machine.hold(state, ONE.unit, 1200.0)
    assert state.taken[ONE.unit].due == 1400.0
    for now, tried in ((1399.0, False), (1400.0, True)):
        assert bool(_machine.next_action(state, look(now, may_return=[ONE.unit]))) is tried


def test_path_that_is_bad_again_and_again():
    """It is left alone for twice as long each time, and for a day at most: then it is worth a try."""
    state, now = _machine.State(), 1000.0
    for _time in range(20):
        _machine.took_off(state, ONE.unit, ENTRY, "lost", now)
        now = state.taken[ONE.unit].due
        _machine.came_back(state, ONE.unit, now)
        now += 60.0
    assert state.taken[ONE.unit].hold == _machine.MOST_HOLD_SECONDS


@pytest.mark.parametrize("change", ["took_off", "came_back"])
def test_what_a_change_makes_worthless(change):
    """Its own evidence, and nobody else's."""
    state = _machine.State()
    _machine.took_off(state, ONE.unit, ENTRY, "lost", 900.0)
    for target in (ONE, OTHER):
        _machine.learn(state, look(), target, "198.51.100.2", [LOST] * 4)
    if change == "took_off":
        _machine.took_off(state, ONE.unit, ENTRY, "lost", 1000.0)
    else:
        _machine.came_back(state, ONE.unit, 1000.0)
    assert (list(state.evidence), list(state.found)) == ([OTHER], [OTHER])


def test_another_address_of_ours():
    """A host that roams: what the path from there has lost says nothing of the one from here."""
    state, now = _machine.State(), look()
    _machine.learn(state, now, ONE, "198.51.100.2", [LOST] * 12)
    _machine.learn(state, now, ONE, "192.0.2.9", [FINE] * 4)
    assert (state.evidence[ONE].pairs, now.made[ONE], state.found[ONE]) == ([FINE] * 4, [FINE] * 4, "innocent")


def test_look_without_suspicion():
    """It makes the next suspicion neither harder nor later."""
    state = _machine.State()
    _machine.rest(state, look())
    assert (_machine.threshold(state, 1000.0), _machine.not_before(state)) == (_machine.THRESHOLD, 0.0)


def test_path_that_loses_both_kinds():
    """As often one as the other: nothing to be done about it by taking TCP Fast Open off, nor worth more attempts."""
    pairs = [LOST, FINE._replace(plain_lost=True)] * 2 + [FINE] * 4
    assert (_evidence.tally(pairs).excess, _evidence.wanted(pairs)) == (0.0, 0)


def test_pair_of_which_both_were_lost():
    """It speaks for neither: a path may lose every SYN with data and some plain ones beside."""
    pairs = [LOST] * 14 + [LOST._replace(plain_lost=True)] * 6
    assert (_evidence.tally(pairs).for_, _evidence.loses_data(pairs)) == (0, True)
