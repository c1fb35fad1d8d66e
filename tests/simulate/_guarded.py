# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a guard in simulated time: its traffic, its network, the ticks of the guard's own code, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, pi, sin
from random import Random
from typing import Callable

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine, _tick
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target

DAY = 86_400.0
INTERVAL = 30.0
ROUND_TRIP = 0.1
LOST = 1.0  # a SYN is sent again after one second
OUT = 2.5  # the time-out of an attempt that nothing answers
DOWN = 3.0  # drop-in away, restart, proof
TARGET = Target("ss-local@main.service", "203.0.113.7", 8388)
ENTRY = {"servers": [["203.0.113.7", 8388]]}
START = 1_000_000.0


@dataclass(frozen=True)
class Life:
    """One host's circumstances.

    ``every``: seconds between requests. ``loss``: natural, of SYNs of both kinds, in bursts of ``burst``; with ``drift`` it
    swings between 0 and twice that within a day. ``extra``: the share of SYNs with data lost on top, from ``begins`` on.
    ``outages`` a day of ``outage`` seconds. ``moves``: seconds until the network, and with it the local address, is another.
    ``swings``: the path is bad and good in turn for so many seconds. ``returns``: tfo_guard_return.
    """

    every: float = 1.0
    loss: float = 0.0
    burst: int = 1
    drift: bool = False
    extra: float = 0.0
    begins: float = 0.0
    outages: int = 0
    outage: float = 0.0
    moves: float = 0.0
    swings: float = 0.0
    returns: bool = False


@dataclass
class Lived:
    """What came of it: the times of undoing and coming back in seconds from the start, and the attempts made."""

    undone: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    pairs: int = 0
    looks: int = 0
    days: float = 0.0


class Network:
    """Losses in order of the SYNs, in bursts; outages by the clock."""

    def __init__(self, life: Life, random: Random, days: float) -> None:
        self.life, self.random = life, random
        self.until, self.left = self._gap(life.loss), 0
        starts = [random.uniform(0, days * DAY) for _number in range(round(life.outages * days))]
        self.outages = sorted((start, start + life.outage) for start in starts)

    def _gap(self, loss: float) -> float:
        """SYNs that arrive before the next burst."""
        if loss <= 0:
            return float("inf")
        mean = self.life.burst * (1 - loss) / loss
        return int(log(1 - self.random.random()) / log(mean / (1 + mean)))

    def lost(self, count: int, now: float) -> int:
        """How many of the next SYNs are lost, of either kind."""
        if self.is_out(now):
            return count
        if self.life.drift:
            loss = self.life.loss * (1 + sin(2 * pi * now / DAY))
            return sum(self.random.random() < loss for _number in range(count))
        lost = 0
        while count > 0:
            if self.left:
                taken = min(self.left, count)
                lost, self.left = lost + taken, self.left - taken
            else:
                taken = int(min(self.until, count))
                self.until -= taken
                if not self.until:
                    self.left, self.until = self.life.burst, self._gap(self.life.loss)
            count -= taken
        return lost

    def data_lost(self, count: int, now: float) -> int:
        """Likewise of SYNs with data."""
        lost = self.lost(count, now)
        if self.is_bad(now):
            lost += sum(self.random.random() < self.life.extra for _number in range(count - lost))
        return lost

    def is_bad(self, now: float) -> bool:
        """Whether SYNs with data are lost on top."""
        if now < self.life.begins or not self.life.extra:
            return False
        return not self.life.swings or int(now / self.life.swings) % 2 == 0

    def is_out(self, now: float) -> bool:
        """Whether the server is gone."""
        while self.outages and self.outages[0][1] < now:
            self.outages.pop(0)
        return bool(self.outages) and self.outages[0][0] <= now


def live(life: Life, random: Random, days: float, until: Callable[[Lived], bool] = lambda _lived: False) -> Lived:
    """So many days of a host, or until something has happened."""
    network, state, lived = Network(life, random, days), _machine.State(), Lived(days=days)
    now, last, under, suspicion = random.uniform(0, INTERVAL), 0.0, True, 0.0
    asked = 0
    while now < days * DAY and not until(lived):
        due = int(now / life.every) - asked
        asked += due
        lost = _traffic(network, due, last, now) if under else 0
        suspicion = _tick.level(suspicion, now - last, due - lost, lost) if under else 0.0
        last = now
        at = START + now
        suspected = suspicion >= _machine.threshold(state, at) and at >= _machine.not_before(state)
        may_return = [TARGET.unit] if life.returns and not under else []
        held = state.taken.get(TARGET.unit)
        if suspected or (may_return and held and held.due <= at):
            host = _machine.Host(at, suspected, [TARGET] if under else [], may_return)
            under = _look(life, network, state, host, lived, under)
            now, suspicion = host.now - START, 0.0
            asked, last = int(now / life.every), now
            lived.looks += 1
        now += INTERVAL
    return lived


def _traffic(network: Network, count: int, last: float, now: float) -> int:
    """How many of the SYNs of a tick were lost, spread evenly over it."""
    if not network.life.extra:
        return network.lost(count, (last + now) / 2)
    return sum(network.data_lost(1, last + (now - last) * (one + 0.5) / count) for one in range(count))


def _look(life: Life, network: Network, state: _machine.State, host: _machine.Host, lived: Lived, under: bool) -> bool:
    """One look of the guard; whether the service is under TFO after it."""
    while True:
        action = _machine.next_action(state, host)
        if action is None:
            _machine.rest(state, host)
            return under
        if isinstance(action, _machine.Attempt):
            source = f"198.51.100.{int((host.now - START) / life.moves) % 250}" if life.moves else "198.51.100.2"
            _machine.learn(state, host, action.target, source, _pairs(network, host.now, action.pairs))
            lived.pairs += action.pairs
        elif isinstance(action, _machine.Undo):
            host.now += DOWN
            _machine.took_off(state, action.unit, ENTRY, action.why, host.now)
            host.targets, under = [], False
            lived.undone.append(host.now - START)
        else:
            host.now += DOWN
            _machine.came_back(state, action.unit, host.now)
            under = True
            lived.returned.append(host.now - START)


def _pairs(network: Network, at: float, count: int) -> list[Pair]:
    """Paired attempts, of which each takes its time."""
    made: list[Pair] = []
    for number in range(count):
        lost = {}
        for kind in ("plain", "fast") if number % 2 else ("fast", "plain"):
            draw = network.lost if kind == "plain" else network.data_lost
            lost[kind] = bool(draw(1, at - START))
            again = lost[kind] and network.lost(1, at - START)
            at += OUT if again else LOST + ROUND_TRIP if lost[kind] else ROUND_TRIP
        made.append(Pair(at, lost["plain"], lost["fast"]))
        if len(made) > 1 and made[-1].plain_lost and made[-2].plain_lost:
            break
    return made
