# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second model of the network, written without a look at the judge or at the first one. All times are in ms.

Figures without a source are plausible ones, not measured ones: what a judge says must not hang on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from ._situation import Situation

SYN_TIMEOUT = 1000.0
"""ms until a SYN is sent again, doubled each time: sent at 0, 1, 3 and 7 s (RFC 6298, 2.1 and 5.5)."""
MIN_VARIANCE = 200.0
"""ms, the least that Linux puts on top of the smoothed round trip for its timeout (TCP_RTO_MIN in tcp_set_rto)."""
PATIENCE = 10_000.0
"""ms after which a request without an answer counts as failed."""
UNSEEN = 0.02
"""Share of connections that are gone before anybody looks at them."""
HOPELESS_PAIRS = 5
"""The measurement ends after so many pairs, if each fast-open request was lost or failed, and no plain one."""
SPIKE, LONGEST_SPIKE = 15.0, 600.0
"""ms, the smallest and the longest of the rare delays (Pareto, shape 1.5: finite mean, no finite variance)."""
MEMORY, MEMORY_OF_CALLS = 0.97, 0.5
"""How much of the wander is still there at the next request, and at the next call (a bake time later)."""


@dataclass(frozen=True)
class Access:
    """A kind of client: how often there is one, its round trip without queues, and how steady that is."""

    weight: float
    shortest: float
    """ms; round trips of clients are spread evenly on a logarithmic scale between the two."""
    longest: float
    queue: float
    """ms, mean of what a round trip waits in queues (exponential)."""
    wander: float
    """Standard deviation of the slow changes, as a share of the round trip."""
    spikes: float
    """Share of round trips with a spike: radio wake-ups, handovers, a full buffer."""


ACCESSES = (
    Access(weight=0.40, shortest=15, longest=60, queue=2, wander=0.03, spikes=0.01),  # DSL, cable, fibre
    Access(weight=0.30, shortest=35, longest=150, queue=12, wander=0.10, spikes=0.05),  # mobile
    Access(weight=0.30, shortest=110, longest=330, queue=4, wander=0.02, spikes=0.01),  # another continent
)


class Losses:
    """Gilbert's chain of two states (1960): in the bad one every packet is lost; it moves by one step a packet.

    Its stationary share of the bad state is ``loss``, its mean stay there ``burst`` packets, or what losses independent
    of each other have, 1 / (1 - loss), where that is longer: no packet is safer for coming after a lost one.
    """

    def __init__(self, loss: float, burst: float, random: Random) -> None:
        recovers = min(1 / burst, 1 - loss)
        self._bad_next = {True: 1 - recovers, False: loss / (1 - loss) * recovers if loss < 1 else 1.0}
        self._bad = random.random() < loss

    def next(self, random: Random) -> bool:
        """Is the packet that is sent now lost?"""
        self._bad = random.random() < self._bad_next[self._bad]
        return self._bad


@dataclass
class Sent:
    """A packet that was sent until it was answered."""

    at: float
    """ms since the request began at which the answer came (inf: never)."""
    trip: float
    """ms that the answered one took: timestamps tell which one it was, so this is a sample for the kernel as well.
    0 where none was answered, as in TCP_INFO."""
    number: int
    """Which one was answered (0: the first)."""
    again: int
    """How many times it was sent again, for nothing (the answer was just late) or not."""


@dataclass
class Request:
    """One request as the client saw it."""

    syn_data: bool
    syns_again: int
    again: int
    rtt: float
    ttfb: float
    """ms, inf when it failed."""

    @property
    def bad(self) -> bool:
        """Lost or failed."""
        return self.again > 0 or self.ttfb == inf


def arm(done: list[Request], fast_open: bool, random: Random) -> dict[str, Any]:
    """The requests of one kind, as tfo_tunnel returns them."""
    ttfb = [round(one.ttfb, 3) for one in done if one.ttfb < inf]
    active = sum(one.syn_data for one in done)
    counters = {
        "TCPSynRetrans": sum(one.syns_again for one in done),
        "TCPFastOpenActive": active,
        "TCPFastOpenActiveFail": len(done) - active if fast_open else 0,
    }
    seen = [one for one in done if random.random() >= UNSEEN]
    connections = [{"syn_data": one.syn_data, "lost": one.again, "rtt_ms": round(one.rtt, 3)} for one in seen]
    return {
        "ok": len(ttfb),
        "failed": len(done) - len(ttfb),
        "ttfb_ms": ttfb,
        "counters": counters,
        "exits": 0,
        "connections": connections,
    }


class SecondWay:
    """A client's way to a server: its wander and its losses go on from call to call."""

    def __init__(self, situation: Situation, random: Random) -> None:
        self._situation = situation
        self._access = access = random.choices(ACCESSES, [one.weight for one in ACCESSES])[0]
        self._floor: float = access.shortest * (access.longest / access.shortest) ** random.random()
        self._wander = random.gauss(0, 1)
        self._losses = Losses(situation.loss, situation.burst, random)

    def measure(self, requests: int, after: bool, random: Random) -> dict[str, Any]:
        """So many requests of each kind, in turn, see ``_situation``; fewer where fast open is plainly hopeless."""
        self._wanders(MEMORY_OF_CALLS, random)
        plain: list[Request] = []
        fast_open: list[Request] = []
        for number in range(1, requests + 1):
            for done in (plain, fast_open):
                self._wanders(MEMORY, random)
                done.append(self._request(done is fast_open, after, random))
            hopeless = all(one.bad for one in fast_open) and not any(one.bad for one in plain)
            if number == HOPELESS_PAIRS and hopeless:
                break
        return {"plain": arm(plain, False, random), "fast_open": arm(fast_open, True, random)}

    def _wanders(self, memory: float, random: Random) -> None:
        """A step of the slow changes (autoregressive, standard deviation 1)."""
        self._wander = memory * self._wander + sqrt(1 - memory * memory) * random.gauss(0, 1)

    def _trip(self, random: Random) -> float:
        """ms of one round trip, now."""
        trip = self._floor * exp(self._access.wander * self._wander) + random.expovariate(1 / self._access.queue)
        if random.random() < self._access.spikes:
            trip += min(SPIKE * random.paretovariate(1.5), LONGEST_SPIKE)
        return trip

    def _send(self, start: float, timeout: float, data: bool, random: Random) -> Sent:
        """A packet sent from ``start`` on until the answer is there; ``data``: the first one is a SYN with data."""
        best, now = Sent(inf, 0.0, 0, 0), start
        for number in range(100):
            trip, lost = self._trip(random), self._losses.next(random)
            if data and number == 0:
                lost = random.random() < self._situation.extra or lost
                if self._situation.slower_ms > 0:  # held back by the round trip that it saves, and by this
                    trip += self._trip(random) + self._situation.slower_ms
            if not lost and now + trip < best.at:
                best = Sent(now + trip, trip, number, 0)
            best.again = number
            now, timeout = now + timeout, timeout * 2
            if best.at <= now or now >= PATIENCE:
                break
        return best

    def _request(self, fast_open: bool, after: bool, random: Random) -> Request:
        """One request: handshake, request where the SYN did not bring it, answer of the origin."""
        syn = self._send(0.0, SYN_TIMEOUT, fast_open, random)
        one = Request(fast_open and syn.number == 0 and syn.at < PATIENCE, syn.again, syn.again, syn.trip, syn.at)
        if not one.syn_data and syn.at < PATIENCE:  # a SYN goes out again without its data
            request = self._send(syn.at, one.rtt + max(MIN_VARIANCE, 2 * one.rtt), False, random)
            one.again, one.ttfb = one.again + request.again, request.at
            if request.at < inf:
                one.rtt += (request.trip - one.rtt) / 8  # RFC 6298, 2.3
        one.ttfb += random.expovariate(1 / self._situation.origin_ms) if self._situation.origin_ms else 0.0
        one.ttfb += self._situation.drift_ms if after else 0.0  # behind the server: the kernel's round trip stays
        if random.random() < self._situation.fails or one.ttfb >= PATIENCE:
            one.ttfb = inf
        return one


class SecondModel:
    """Draws clients with DSL, on mobile networks, and on other continents."""

    def draw(self, situation: Situation, random: Random) -> SecondWay:
        """One client's way in this situation."""
        return SecondWay(situation, random)
