# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look of the guard at its host: attempts where the counters raised suspicion, and what these prove is done."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import (
    _attempts,
    _machine,
    _named,
    _request,
    _return,
    _shown,
    _state,
    _tick,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _alone, _down, _record, _status

LOOK_SECONDS = 900.0
"""Between looks at everything while nothing raises suspicion: files, boot, counters of servers."""

Say = t.Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Asked:
    """``because``: suspicion or look. ``undoes``: whether what is proven is taken off, or only told. ``returns``: whether what
    the guard took off may come back, first after ``hold`` seconds. ``textfile``: the folder of node_exporter, '' for none.
    """

    because: str = "look"
    undoes: bool = True
    returns: bool = False
    hold: float = _machine.HOLD_SECONDS
    textfile: str = ""


def run(asked: Asked, say: Say) -> int:
    """0, or 1 where something was taken off and is not proven plain. Raises what the host's edges raise."""
    whole, level = False, 0.0
    try:
        kept, now = _state.load(), time.time()
        counters = _shown.counters()
        _tell_blindness(kept, say)
        risen = _named.delta(kept.counters, counters)
        host = _host(kept, asked, now)
        host.suspected = host.suspected or (asked.because == "look" and _named.is_refused(risen))
        host.pausable = asked.because == "look" and ("paused" in kept.machine.found.values() or _named.is_paused(risen))
        reverts = kept.machine.reverts
        failed = _act(kept, host, asked.hold, say)
        _machine.rest(kept.machine, host)
        if asked.because == "look":
            kept.counters, kept.looked = counters, host.now
            kept.named["server"] = _named.server(risen)
        kept.named["client"] = _named.client(kept.machine.found)
        found = _status.observe()
        _shown.watch(kept, found, host.now)
        _state.store(kept)
        if asked.textfile:
            _show(asked.textfile, kept, found, host.now, say)
        whole = True
        if not (host.suspected or host.made) and kept.machine.reverts == reverts:
            level = _state.suspicion()
        return int(failed)
    finally:
        _rest(whole, level)


def _tell_blindness(kept: _state.Kept, say: Say) -> None:
    """Once where the kernel's counters cannot be read, and once where they can again; status has it meanwhile."""
    named = _named.blind(*_tick.counted())
    if named != kept.named.get("watch", []):
        say(
            f"{named[0]['message']} ({named[0]['remedy']})"
            if named
            else "the counters can be read: the guard watches again"
        )
    kept.named["watch"] = named


def _show(folder: str, kept: _state.Kept, found: _shown.Found, now: float, say: Say) -> None:
    """Metrics are told to nobody rather than that a guard fails for them."""
    try:
        _shown.write(folder, kept, found, now)
    except OSError as error:
        say(f"no metrics: {error}")


def _host(kept: _state.Kept, asked: Asked, now: float) -> _machine.Host:
    record, lease = _record.load(), _record.load_lease()
    units = _record.under(record, lease)
    machine = kept.machine
    for unit, one in list(machine.taken.items()):
        again = unit in units and not one.returned
        elsewhere = unit not in units and record.undone.get(unit, {}).get("by") != "guard"
        if again or elsewhere:  # a rollout brought it back, or an operator decided meanwhile
            del machine.taken[unit]
            _machine.forget(machine, unit)
    for unit in {target.unit for target in (*machine.found, *machine.evidence)} - set(units):
        _machine.forget(machine, unit)
    away = [unit for unit, one in machine.taken.items() if not one.returned]
    free = asked.returns and not (lease and lease.live)
    may_return = [unit for unit in away if free and _return.is_intended(record, unit)]
    targets = [target for unit, entry in sorted(units.items()) for target in _machine.targets(unit, entry)]
    return _machine.Host(now, asked.because == "suspicion", targets, may_return, asked.undoes)


def _act(kept: _state.Kept, host: _machine.Host, hold: float, say: Say) -> bool:
    """Do what the machine says until it says nothing; whether something failed."""
    failed = False
    while True:
        action = _machine.next_action(kept.machine, host)
        if action is None:
            return failed
        if isinstance(action, _machine.Attempt):
            source, pairs = _attempts.pairs(action.target, action.pairs, _client(action.target.unit))
            _machine.learn(kept.machine, host, action.target, source, pairs)
            with contextlib.suppress(OSError):  # a look has its time: one that is ended goes on from here
                _state.store(kept)
        elif isinstance(action, _machine.Undo):
            say(f"{action.unit}: {action.why}")
            failed = _undo(kept, host, action, hold, say) or failed
            host.targets = [target for target in host.targets if target.unit != action.unit]
        else:
            why = _return.come_back(action.unit, kept.machine.taken[action.unit].entry)
            host.now = time.time()
            if why:
                say(f"{action.unit} stays plain: {why}")
                _machine.hold(kept.machine, action.unit, host.now)
            else:
                say(f"{action.unit}: its paths carry SYN data again, and it is back under TFO")
                _machine.came_back(kept.machine, action.unit, host.now)


def _client(unit: str) -> t.Optional[_request.Client]:
    """The service, where it is under TFO and a request can be made through it."""
    record, lease = _record.load(), _record.load_lease()
    entry = _record.under(record, lease).get(unit)
    return _request.client(unit, entry) if entry else None


def _undo(kept: _state.Kept, host: _machine.Host, action: _machine.Undo, hold: float, say: Say) -> bool:
    """Take the service off, unless somebody else has meanwhile; whether it is not proven plain."""
    with _alone.locked(say):
        record, lease = _record.load(), _record.load_lease()
        entry = _record.under(record, lease).get(action.unit)
        if entry is None:
            return False
        result = _alone.come_down(_down.Descent("guard", action.why, units=[action.unit], memory="add"))
    host.now = time.time()
    _machine.took_off(kept.machine, action.unit, entry, action.why, host.now, hold)
    try:
        _state.store(kept)  # also if what follows is killed
    except OSError as error:  # the look fails in the end, but not before everything is done
        say(f"{action.unit}: what the guard did is not kept: {error}")
    for reason in result.reasons:
        say(reason)
    say(f"{action.unit} is {'plain, and proven so' if result.outcome == 'plain' else 'NOT proven plain'}")
    return result.outcome != "plain"


def _rest(whole: bool, level: float) -> None:
    """Tell the tick from what on to count, and when everything is to be looked at again; also where a look failed (not
    ``whole``), for it would fail again at every tick. ``level``: the suspicion so far, which a mere look does not end.
    """
    kept, now = _state.load(), time.time()
    counters, _unread = _tick.counted()
    machine = kept.machine
    looked = kept.looked if 0 <= now - kept.looked < LOOK_SECONDS else now
    holds = [one.due for one in machine.taken.values() if not one.returned and one.due > now]
    _tick.write(
        {
            "at": now,
            "acked": int(counters.get("TCPFastOpenActive", 0)),
            "lost": int(counters.get(_tick.LOST, 0)),
            "level": level,
            "threshold": _machine.threshold(machine, now),
            "not_before": _machine.not_before(machine),
            "look_at": min([looked + LOOK_SECONDS, *holds]),
            "watched": int(_watched()),
            "whole": int(whole),
            "blind": int(_tick.LOST not in counters),
            "signature": _tick.signature(f"{_record.FOLDER}/record.json", f"{_record.RUN_FOLDER}/lease.json"),
        },
        _state.tick_path(),
    )


def _watched() -> bool:
    """Whether a client is under TFO: nothing else has paths that could be tried."""
    try:
        record, lease = _record.load(), _record.load_lease()
    except _record.RecordError:
        return False
    units = _record.under(record, lease)
    return any(entry.get("servers") for entry in units.values())
