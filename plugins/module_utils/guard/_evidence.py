# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What paired attempts prove of a path: that it loses SYNs with data while plain ones pass, or not. Pure."""

from __future__ import annotations

import math
import typing as t

ALPHA = 1e-4
"""The chance that as many more SYNs with data than plain ones are lost on a path that loses both alike."""
EXCESS = 0.15
"""By how much more of them must be lost than of plain ones: less is not worth a restart."""
AGE_SECONDS = 1800.0
MOST = 200
FIRST = 4
"""Attempts a kind of a suspicion that nothing confirms: of four the first may only fetch the cookie."""
ROUND = 24
"""Attempts a kind at most in one look at one path."""
RETURN = 20
"""Attempts a kind before TFO comes back: a path that loses 30 % of its SYN data passes them once in 1,250 times."""
ENOUGH = 15
"""So many of them must have carried data."""


class Target(t.NamedTuple):
    """A service under TFO and one of its servers. ``ipv6_first``: of a name that has both it takes IPv6."""

    unit: str
    host: str
    port: int
    ipv6_first: bool = False


class Pair(t.NamedTuple):
    """A plain attempt and one with data in its SYN, at nearly the same time (``at``: seconds since the epoch).

    Lost: its SYN had to be sent again, or nothing came back. ``fast_lost`` is None where the SYN arrived and its data was
    not taken: the server's doing, which costs no time and says nothing about losses; or that of our own kernel, which has
    ``paused`` TFO to all destinations.
    """

    at: float
    plain_lost: bool
    fast_lost: t.Optional[bool]
    paused: bool = False


class Tally(t.NamedTuple):
    """``against``: pairs of which only the SYN with data was lost; ``for_``: only the plain one; of ``made``."""

    made: int
    against: int
    for_: int
    plain_lost: int
    fast_lost: int

    @property
    def excess(self) -> float:
        """By what share more SYNs with data were lost."""
        return (self.against - self.for_) / self.made if self.made else 0.0


def fresh(pairs: t.Iterable[Pair], now: float) -> list[Pair]:
    """Those that still count: not too old, and not of a time to come (the clock was set back)."""
    return [pair for pair in pairs if 0 <= now - pair.at <= AGE_SECONDS][-MOST:]


def tally(pairs: t.Iterable[Pair]) -> Tally:
    """Of the pairs that say something."""
    told = [pair for pair in pairs if pair.fast_lost is not None]
    against = sum(bool(pair.fast_lost) and not pair.plain_lost for pair in told)
    for_ = sum(pair.plain_lost and not pair.fast_lost for pair in told)
    return Tally(
        len(told), against, for_, sum(pair.plain_lost for pair in told), sum(bool(pair.fast_lost) for pair in told)
    )


def sign_test(against: int, for_: int) -> float:
    """The chance of ``against`` or more heads in against + for_ throws of a fair coin: whatever the losses are like, on a
    path that treats both kinds alike either of a pair is lost as easily, for the order within pairs alternates."""
    thrown = against + for_
    return sum(math.comb(thrown, heads) for heads in range(against, thrown + 1)) / 2**thrown


def loses_data(pairs: t.Sequence[Pair]) -> bool:
    """Whether it is proven that the path loses SYNs with data while plain ones pass."""
    told = tally(pairs)
    return told.excess >= EXCESS and sign_test(told.against, told.for_) <= ALPHA


def is_out(pairs: t.Sequence[Pair]) -> bool:
    """Whether plain attempts fail as well: an outage, or nearly one, at which nothing can be compared."""
    return bool(pairs) and 2 * sum(pair.plain_lost for pair in pairs) >= len(pairs)


def is_good(pairs: t.Sequence[Pair]) -> bool:
    """Whether it is proven that the path carries SYNs with data."""
    told = tally(pairs)
    return told.made >= ENOUGH and told.fast_lost == 0


def is_paused(pairs: t.Sequence[Pair]) -> bool:
    """Whether our own kernel sends no data by now."""
    return bool(pairs) and pairs[-1].paused


def is_refused(pairs: t.Sequence[Pair]) -> bool:
    """Whether SYNs arrive and their data is not taken, though the kernel sent some: after the first attempt, which may
    only fetch the cookie."""
    return len(pairs) >= FIRST and all(pair.fast_lost is None for pair in pairs[1:])


def wanted(pairs: t.Sequence[Pair]) -> int:
    """How many pairs more a suspicion is worth, by those of this look: 0 where it is innocent, or was given its chance."""
    if not pairs:
        return FIRST
    if is_out(pairs) or len(pairs) >= ROUND or tally(pairs).excess < EXCESS:
        return 0
    return FIRST


def words(target: Target, source: str, pairs: t.Sequence[Pair]) -> str:
    """The proof, for people."""
    told = tally(pairs)
    return (
        f"SYNs with data to {target.host} port {target.port} get lost and plain ones pass: of {told.made} pairs"
        f" {told.fast_lost} with data and {told.plain_lost} plain were lost (from {source})"
    )
