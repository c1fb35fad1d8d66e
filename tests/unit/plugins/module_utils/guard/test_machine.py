# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard does when, without a host."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _evidence, _machine
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target

ONE = Target("ss-local@main.service", "203.0.113.7", 8388)
OTHER = Target("ss-local@other.service", "203.0.113.8", 8388)
ENTRY = {"servers": [["203.0.113.7", 8388]]}


def host(now=1000.0, suspected=True, targets=(ONE,), **change):
    """This look."""
    return _machine.Host(now, suspected, list(targets), **change)


def play(state, look, lost, plain=lambda _target: False, source="198.51.100.2", steps=60):
    """Do what the machine says; ``lost`` and ``plain`` tell of a target whether its SYNs get lost. The actions' names."""
    done = []
    for _step in range(steps):
        action = _machine.next_action(state, look)
        if action is None:
            _machine.rest(state, look)
            return done
        done.append(action)
        if isinstance(action, _machine.Attempt):
            pairs = [
                Pair(look.now + number, plain(action.target), lost(action.target)) for number in range(action.pairs)
            ]
            _machine.learn(state, look, action.target, source, pairs)
        elif isinstance(action, _machine.Undo):
            _machine.took_off(state, action.unit, ENTRY, action.why, look.now)
            look.targets = [target for target in look.targets if target.unit != action.unit]
        else:
            _machine.came_back(state, action.unit, look.now)
    raise AssertionError("it goes on for ever")


def names(actions):
    """What they are."""
    return [type(one).__name__ for one in actions]


def test_counters_alone_do_nothing():
    """Suspicion leads to attempts, and innocent ones to nothing else; without suspicion not even those."""
    state = _machine.State()
    assert names(play(state, host(), lambda _target: False)) == ["Attempt"]
    assert state.found == {ONE: "innocent"}
    assert play(state, host(suspected=False), lambda _target: True) == []


def test_only_watched():
    """What is proven is told and nothing else, and is not tried again while that proof is fresh."""
    state = _machine.State()
    assert names(play(state, host(undoes=False), lambda _target: True)) == ["Attempt"] * 4
    assert state.found == {ONE: "lost"}
    assert play(state, host(now=1100.0, undoes=False), lambda _target: True) == []
    assert names(play(state, host(now=1200.0), lambda _target: True)) == ["Undo"]


def test_proof():
    """A path that loses every SYN with data: fourteen pairs, then that unit and no other."""
    state = _machine.State()
    done = play(state, host(targets=[ONE, OTHER]), lambda target: target == ONE)
    assert names(done) == ["Attempt"] * 4 + ["Undo", "Attempt"]
    assert (done[4].unit, "16 pairs 16 with data" in done[4].why) == (ONE.unit, True)
    assert (state.reverts, list(state.taken), state.found) == (1, [ONE.unit], {OTHER: "innocent"})


def test_outage():
    """Both kinds are lost: nothing is proven, and nothing is done."""
    state = _machine.State()
    assert names(play(state, host(), lambda _target: True, lambda _target: True)) == ["Attempt"]
    assert state.found == {ONE: "unreachable"}


def test_refused():
    """The server takes no data: named, not undone."""
    state = _machine.State()
    assert names(play(state, host(), lambda _target: None)) == ["Attempt"]
    assert state.found == {ONE: "refused"}


def test_evidence_is_gathered_over_several_looks():
    """And dropped when the local address is another one: that is another network."""
    state = _machine.State()
    pairs = [Pair(1000.0 + number, False, True) for number in range(10)]
    _machine.learn(state, host(), ONE, "198.51.100.2", pairs)
    assert names(play(state, host(1100.0), lambda _target: True)) == ["Attempt", "Undo"]
    state = _machine.State()
    _machine.learn(state, host(), ONE, "198.51.100.2", pairs)
    done = play(state, host(1100.0), lambda _target: True, source="192.0.2.9")
    assert names(done) == ["Attempt"] * 4 + ["Undo"]


def test_old_evidence_goes():
    """Nothing is kept of it."""
    state = _machine.State()
    play(state, host(), lambda _target: False)
    assert state.evidence
    _machine.rest(state, host(1000.0 + _evidence.AGE_SECONDS + 10, suspected=False))
    assert not state.evidence
    assert not state.found


def test_rests():
    """A suspicion that proved nothing makes the next one wait, and grow: longer where they follow one another."""
    state = _machine.State()
    now, waits = 1000.0, []
    for _again in range(6):
        play(state, host(now), lambda _target: False)
        waits.append(_machine.not_before(state) - state.rested)
        now = _machine.not_before(state) + 30
    assert waits == [60, 120, 240, 480, 600, 600]
    assert _machine.threshold(state, state.rested) == _machine.MOST_THRESHOLD
    assert _machine.threshold(state, now + 6 * 3600) == _machine.THRESHOLD
    play(state, host(now + 6 * 3600), lambda _target: False)
    assert _machine.not_before(state) - state.rested == 60


def test_a_clock_that_was_set_back_makes_nobody_deaf():
    """The next suspicion is not compared with one of a time to come, which would not come down for years."""
    state = _machine.State()
    play(state, host(1000.0 + 365 * 86400), lambda _target: False)
    assert _machine.threshold(state, 1000.0) == _machine.THRESHOLD
    play(state, host(1000.0), lambda _target: False)
    assert _machine.threshold(state, state.rested) == 2 * _machine.THRESHOLD


def returning(state, now, lost=lambda _target: False, **change):
    """A look at which the unit may come back."""
    return play(state, host(now, suspected=False, targets=(), may_return=[ONE.unit], **change), lost)


def taken_off(now=1000.0):
    """A state in which it was taken off."""
    state = _machine.State()
    _machine.took_off(state, ONE.unit, ENTRY, "lost", now)
    return state


def test_return():
    """Not before its hold time has passed, and only over a path that is proven good."""
    state = taken_off()
    assert returning(state, 4500.0) == []
    assert names(returning(state, 4700.0)) == ["Attempt", "Return"]
    assert state.taken[ONE.unit].returned == 4719.0
    assert returning(state, 9999.0) == []


def test_no_return():
    """Unless it is wanted, however long it takes; a path that is bad doubles the hold time, up to a day."""
    state = taken_off()
    assert play(state, host(99999.0, suspected=False, targets=()), lambda _target: False) == []
    holds = []
    for _again in range(7):
        assert names(returning(state, state.taken[ONE.unit].due + 1, lambda _target: True)) == ["Attempt"]
        holds.append(state.taken[ONE.unit].hold)
    assert holds == [7200, 14400, 28800, 57600, 86400, 86400, 86400]


def test_never_flaps():
    """What is taken off again soon stays off for longer; after a day of peace it begins anew."""
    state, now, cycles = taken_off(), 1000.0, 1
    while True:
        now = state.taken[ONE.unit].due
        if now > 86400:
            break
        _machine.came_back(state, ONE.unit, now)
        now += 60
        _machine.took_off(state, ONE.unit, ENTRY, "lost", now)
        cycles += 1
    assert cycles == 5
    _machine.came_back(state, ONE.unit, now)
    _machine.took_off(state, ONE.unit, ENTRY, "lost", now + _machine.PEACE_SECONDS + 1)
    assert state.taken[ONE.unit].hold == _machine.HOLD_SECONDS


def test_every_path_of_a_unit_must_be_good():
    """Of two servers one still loses data."""
    state = taken_off()
    state.taken[ONE.unit].entry = {"servers": [["203.0.113.7", 8388], ["203.0.113.9", 8388]]}
    done = returning(state, 4700.0, lambda target: target.host == "203.0.113.9")
    assert names(done) == ["Attempt", "Attempt"]
    assert not state.taken[ONE.unit].returned
