# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated network is like, and what a model of it has to offer: two authors wrote one each."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Protocol


@dataclass(frozen=True)
class Situation:
    """Shares between 0 and 1, times in ms. Natural loss hits both kinds of requests, ``extra`` only SYNs with data."""

    loss: float = 0.0
    """Share of packets of a connection's opening (SYN, request) that get lost by nature."""
    burst: float = 1.0
    """Mean number of packets that get lost in a row (1: each by itself)."""
    extra: float = 0.0
    """Share of SYNs with data that get lost beyond the natural loss."""
    slower_ms: float = 0.0
    """By how much later than plain a connection with SYN data brings its request to the server, its saved round trip
    taken back: 0 means that one round trip is saved, 25 that the first byte comes 25 ms later than with plain TCP."""
    origin_ms: float = 5.0
    """Mean time that the origin takes to answer (exponential)."""
    fails: float = 0.0
    """Share of requests that fail by themselves, of both kinds."""
    drift_ms: float = 0.0
    """By how much everything on this path has become slower after the step, of both kinds."""


class Way(Protocol):
    """One client's way to one server, drawn once: its round trip, and whatever else differs between clients."""

    def measure(self, requests: int, after: bool, random: Random) -> dict[str, Any]:
        """So many requests of each kind, in turn: one entry of ``paths`` as tfo_tunnel returns it.

        {"plain": ARM, "fast_open": ARM}; ARM is {"ok": int, "failed": int, "ttfb_ms": [of each answered request],
        "counters": {"TCPSynRetrans": …, "TCPFastOpenActive": …, "TCPFastOpenActiveFail": …}, "exits": 0,
        "connections": [{"syn_data": acknowledged in the SYN, "lost": times that its SYN or request was sent again,
        "rtt_ms": smoothed round trip}, one for each request]}. ``after`` tells whether the step has been made.
        """


class Model(Protocol):
    """Draws ways."""

    def draw(self, situation: Situation, random: Random) -> Way:
        """One client's way in this situation."""
