# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard may do when. Pure: what it knows is State and Host, what is to be done is an action, what came of it is told back.

Counters only raise suspicion (_tick). Paired attempts follow, and a service is taken off where they prove that a path of
its own loses SYNs with data while plain ones pass (_evidence).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _evidence
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target

THRESHOLD = 5.0
"""Suspicion that is worth attempts: three SYNs sent again, and nothing that speaks against it."""
MOST_THRESHOLD = 24.0
"""After innocent ones: fourteen. It comes down by half every hour."""
RELAX_SECONDS = 3600.0
REST_SECONDS = 60.0
MOST_REST_SECONDS = 600.0
"""Between attempts that a suspicion without end raises: an outage, a program that calls a dead host."""
HOLD_SECONDS = 3600.0
"""What was taken off is left alone for so long, unless the role says otherwise."""
MOST_HOLD_SECONDS = 86400.0
PEACE_SECONDS = 86400.0
"""After so long under TFO again the next hold time begins anew."""


@dataclasses.dataclass
class Evidence:
    """Pairs of one path from one local address; with another address it begins anew."""

    source: str = ""
    pairs: list[Pair] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Taken:
    """A service that the guard took off at ``at`` (seconds since the epoch): its ``entry`` of the record, and until when it
    is left alone. ``returned``: when the guard brought it back, 0.0 while it is off."""

    entry: dict[str, t.Any]
    at: float
    hold: float
    due: float
    why: str = ""
    returned: float = 0.0


@dataclasses.dataclass
class State:
    """What is kept from one look to the next."""

    evidence: dict[Target, Evidence] = dataclasses.field(default_factory=dict)
    found: dict[Target, str] = dataclasses.field(default_factory=dict)
    taken: dict[str, Taken] = dataclasses.field(default_factory=dict)
    threshold: float = THRESHOLD
    rest: float = REST_SECONDS
    rested: float = 0.0
    reverts: int = 0


@dataclasses.dataclass
class Host:
    """This look: the time, whether the counters raised suspicion, the paths of services under TFO, and the services that
    may come back (taken off by the guard, wanted back, no run holds the host). ``undoes``: whether what is proven is taken
    off, or only told. ``made``: the pairs of this look. ``pausable``: whether the kernel may have paused TFO, so that it is
    worth a few attempts to see whether it has, or has no more."""

    now: float
    suspected: bool
    targets: list[Target]
    may_return: t.Collection[str] = ()
    undoes: bool = True
    made: dict[Target, list[Pair]] = dataclasses.field(default_factory=dict)
    pausable: bool = False


@dataclasses.dataclass(frozen=True)
class Attempt:
    """Make so many paired attempts."""

    target: Target
    pairs: int


@dataclasses.dataclass(frozen=True)
class Undo:
    """Take the service off."""

    unit: str
    why: str


@dataclasses.dataclass(frozen=True)
class Return:
    """Bring the service back by the way up."""

    unit: str


Action = t.Union[Attempt, Undo, Return]


def next_action(state: State, host: Host) -> t.Optional[Action]:
    """What is to be done next, None: nothing. To be asked again after what it said was done and told."""
    proven = []
    for target in host.targets:
        pairs = _pairs(state, target, host.now)
        if _evidence.loses_data(pairs):
            if host.undoes:
                return Undo(target.unit, _evidence.words(target, state.evidence[target].source, pairs))
            proven.append(target)
    for target in [one for one in host.targets if one not in proven] if host.suspected or host.pausable else ():
        count = _evidence.wanted(host.made.get(target, []))
        if count:
            return Attempt(target, count)
    for unit in sorted(host.may_return):
        taken = state.taken.get(unit)
        if taken is None or taken.returned or host.now < taken.due <= host.now + MOST_HOLD_SECONDS:
            continue
        untried = [target for target in targets(unit, taken.entry) if target not in host.made]
        if all(_evidence.is_good(host.made[one]) for one in targets(unit, taken.entry) if one in host.made):
            return Attempt(untried[0], _evidence.RETURN) if untried else Return(unit)
        hold(state, unit, host.now)
    return None


def targets(unit: str, entry: t.Mapping[str, t.Any]) -> list[Target]:
    """The paths of a client, by its entry in the record; a server has none of its own."""
    first = bool(entry.get("ipv6_first"))
    return [Target(unit, str(host), int(port), first) for host, port in entry.get("servers", ())]


def learn(state: State, host: Host, target: Target, source: str, pairs: t.Sequence[Pair]) -> None:
    """Keep what attempts have shown, from that local address; what another address has shown is dropped."""
    host.made.setdefault(target, []).extend(pairs)
    if pairs:
        host.now = max(host.now, pairs[-1].at)
    known = state.evidence.get(target)
    if known is None or known.source != source:
        known = state.evidence[target] = Evidence(source)
        host.made[target] = list(pairs)
    known.pairs = _evidence.fresh([*known.pairs, *pairs], host.now)
    state.found[target] = _said(host.made[target], known.pairs)


def _said(made: t.Sequence[Pair], kept: t.Sequence[Pair]) -> str:
    if _evidence.is_out(made):
        return "unreachable"
    if _evidence.is_paused(made):
        return "paused"
    if _evidence.is_refused(made):
        return "refused"
    if _evidence.loses_data(kept):
        return "lost"
    return "suspected" if _evidence.tally(kept).excess >= _evidence.EXCESS else "innocent"


def took_off(
    state: State, unit: str, entry: dict[str, t.Any], why: str, now: float, least: float = HOLD_SECONDS
) -> None:
    """The service is off; it is left alone for ``least`` seconds, and for longer each time, up to a day."""
    before = state.taken.get(unit)
    again = before is not None and now - before.returned < PEACE_SECONDS
    wait = min(2 * before.hold, MOST_HOLD_SECONDS) if before and again else least
    state.taken[unit] = Taken(entry, now, wait, now + wait, why)
    state.reverts += 1
    forget(state, unit)


def hold(state: State, unit: str, now: float) -> None:
    """It may not come back yet; its next try is later."""
    taken = state.taken[unit]
    taken.hold = min(2 * taken.hold, MOST_HOLD_SECONDS)
    taken.due = now + taken.hold


def came_back(state: State, unit: str, now: float) -> None:
    """The guard has brought it back."""
    state.taken[unit].returned = now
    forget(state, unit)


def forget(state: State, unit: str) -> None:
    """What was seen before a change says nothing about after it."""
    for kept in (state.evidence, state.found):
        for target in [one for one in kept if one.unit == unit]:
            del kept[target]


def rest(state: State, host: Host) -> None:
    """The end of a look: evidence ages, and after a suspicion that proved nothing the next one must be stronger, and
    later where they follow one another."""
    for target in list(state.evidence):
        state.evidence[target].pairs = _evidence.fresh(state.evidence[target].pairs, host.now)
        if not state.evidence[target].pairs:
            del state.evidence[target]
            state.found.pop(target, None)
    if host.suspected:
        close = 0 <= host.now - state.rested < 2 * state.rest + REST_SECONDS
        state.rest = min(2 * state.rest, MOST_REST_SECONDS) if close else REST_SECONDS
        state.threshold = min(2 * threshold(state, host.now), MOST_THRESHOLD)
        state.rested = host.now


def threshold(state: State, now: float) -> float:
    """The suspicion that is worth attempts now."""
    if now < state.rested:  # the clock was set back
        return THRESHOLD
    return max(THRESHOLD, state.threshold * 0.5 ** ((now - state.rested) / RELAX_SECONDS))


def not_before(state: State) -> float:
    """Until when no attempts are made."""
    return state.rested + state.rest if state.rested else 0.0


def _pairs(state: State, target: Target, now: float) -> list[Pair]:
    return _evidence.fresh(state.evidence[target].pairs, now) if target in state.evidence else []
