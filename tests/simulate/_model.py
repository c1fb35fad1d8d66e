# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first model of the network: round trips that jitter, and packets that get lost, singly or in bursts.

A request through the tunnel takes two round trips plain and one with SYN data. A SYN that is lost is sent again after
1 s, then 2, 4 and 8 s (RFC 6298), without data, a request after its retransmission timeout; without an answer after
10 s the request has failed.
"""

from __future__ import annotations

from random import Random
from typing import Any

from _situation import Situation

TIMEOUT_MS = 10_000.0
SHORTEST_RTT_MS, LONGEST_RTT_MS = 20.0, 300.0
# Standard deviation of a round trip's logarithm.
JITTER = 0.2
SYN_WAIT_MS, LEAST_WAIT_MS = 1000.0, 200.0
# The measuring module leaves a path after so many pairs, each late or failed with fast open, and none without.
HOPELESS = 5


class OwnWay:
    """One client's way: its round trip, and whether the last packet on it was lost."""

    def __init__(self, situation: Situation, random: Random) -> None:
        self.situation = situation
        self.rtt_ms = SHORTEST_RTT_MS * (LONGEST_RTT_MS / SHORTEST_RTT_MS) ** random.random()
        stays = max(1 - 1 / situation.burst, situation.loss)
        begins = situation.loss * (1 - stays) / (1 - situation.loss) if situation.loss < 1 else 1.0
        self._losing = {False: begins, True: stays}
        self._lost = random.random() < situation.loss

    def measure(self, requests: int, after: bool, random: Random) -> dict[str, Any]:
        """So many requests of each kind, in turn, see ``_situation``."""
        arms = {kind: _arm() for kind in ("plain", "fast_open")}
        spoiled = {"plain": 0, "fast_open": 0}
        for number in range(1, requests + 1):
            for kind, arm in arms.items():
                spoiled[kind] += self._request(arm, kind == "fast_open", after, random)
            if number == HOPELESS and spoiled == {"plain": 0, "fast_open": HOPELESS}:
                break
        return arms

    def _loses(self, random: Random) -> bool:
        """Is the packet that is sent now lost? In a burst the next one is lost as well with 1 - 1/burst (Gilbert)."""
        self._lost = random.random() < self._losing[self._lost]
        return self._lost

    def _trip(self, random: Random) -> float:
        return self.rtt_ms * random.lognormvariate(0, JITTER)

    def _request(self, arm: dict[str, Any], fast_open: bool, after: bool, random: Random) -> bool:
        """Make one request; whether it was late or failed."""
        here, again = self.situation, 0
        rtt = time = self._trip(random)
        lost = self._loses(random) or (fast_open and random.random() < here.extra)
        wait = SYN_WAIT_MS
        taken = fast_open and not lost
        while lost and time < TIMEOUT_MS:
            time, wait, again = time + wait, 2 * wait, again + 1
            lost = self._loses(random)
        arm["counters"]["TCPSynRetrans"] += again
        if fast_open:
            arm["counters"]["TCPFastOpenActive" if taken else "TCPFastOpenActiveFail"] += 1
        if taken and here.slower_ms:
            held = self._trip(random) + here.slower_ms
            rtt, time = rtt + held, time + held
        if not taken and time < TIMEOUT_MS:
            second = self._trip(random)
            time, wait = time + second, LEAST_WAIT_MS + self.rtt_ms
            while self._loses(random) and time < TIMEOUT_MS:
                time, wait, again = time + wait, 2 * wait, again + 1
            rtt += (second - rtt) / 8
        arm["connections"].append({"syn_data": taken, "lost": again, "rtt_ms": rtt})
        if here.origin_ms:
            time += random.expovariate(1 / here.origin_ms)
        time += here.drift_ms if after else 0.0
        answered = time < TIMEOUT_MS and random.random() >= here.fails
        arm["ok" if answered else "failed"] += 1
        if answered:
            arm["ttfb_ms"].append(time)
        return bool(again) or not answered


def _arm() -> dict[str, Any]:
    counters = {"TCPSynRetrans": 0, "TCPFastOpenActive": 0, "TCPFastOpenActiveFail": 0}
    return {"ok": 0, "failed": 0, "ttfb_ms": [], "counters": counters, "exits": 0, "connections": []}


class OwnModel:
    """Draws round trips evenly on a logarithmic scale."""

    def draw(self, situation: Situation, random: Random) -> OwnWay:
        """One client's way in this situation."""
        return OwnWay(situation, random)
