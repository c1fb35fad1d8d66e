# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients, their paths, and what a paired measurement through them gives.

A request through the tunnel takes two round trips plain and one with SYN data. A SYN lost on the way is sent again
after 1 s, then 2, 4 and 8 s (RFC 6298), without data; a request without an answer after 10 s has failed. Every round
trip jitters on its own, and the origin takes its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Arm, Client

TIMEOUT_MS = 10_000.0
SHORTEST_RTT_MS, LONGEST_RTT_MS = 20.0, 300.0
# Standard deviation of a round trip's logarithm, and the origin's mean time to answer (exponential), ms.
JITTER = 0.2
ORIGIN_MS = 5.0


@dataclass(frozen=True)
class Path:
    """One client's way to its server: round trip in ms, natural SYN loss, share of SYNs with data lost beyond it."""

    rtt_ms: float
    loss: float
    extra: float

    @classmethod
    def draw(cls, random: Random, loss: float, extra: float) -> Path:
        """A path with a round trip drawn evenly on a logarithmic scale."""
        return cls(SHORTEST_RTT_MS * (LONGEST_RTT_MS / SHORTEST_RTT_MS) ** random.random(), loss, extra)


def measure(client: Client, path: Path, requests: int, random: Random) -> None:
    """Add so many requests of each kind, in turn, to what the client has measured."""
    for _number in range(requests):
        _request(client.plain, path, random, False)
        _request(client.fast_open, path, random, True)


def _request(arm: Arm, path: Path, random: Random, fast_open: bool) -> None:
    lost = random.random() < path.loss or (fast_open and random.random() < path.extra)
    counters = arm.counters
    counters["TCPSynRetrans"] = counters.get("TCPSynRetrans", 0) + lost
    if fast_open:
        counter = "TCPFastOpenActiveFail" if lost else "TCPFastOpenActive"
        counters.setdefault("TCPFastOpenActive", 0)
        counters[counter] = counters.get(counter, 0) + 1
    round_trips = 1 if fast_open and not lost else 2
    time = random.expovariate(1 / ORIGIN_MS)
    for _trip in range(round_trips):
        time += path.rtt_ms * random.lognormvariate(0, JITTER)
    wait = 1000.0
    while lost and time < TIMEOUT_MS:
        time += wait
        wait *= 2
        lost = random.random() < path.loss
        counters["TCPSynRetrans"] += lost
    if time < TIMEOUT_MS:
        arm.ok += 1
        arm.ttfb_ms.append(time)
    else:
        arm.failed += 1
