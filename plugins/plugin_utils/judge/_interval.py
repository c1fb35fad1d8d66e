# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confidence intervals: the shift between two samples of times, a share, and what a set of networks excludes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb, floor, fsum, hypot, inf, sqrt
from statistics import NormalDist, median
from typing import Sequence


@dataclass(frozen=True)
class Shift:
    """Treated times less reference times, in the unit of the samples (here ms)."""

    estimate: float
    lower: float
    upper: float

    def less(self, other: Shift) -> Shift:
        """The difference of two independent shifts.

        Its limits are as far from the estimate as the root of the summed squares (method of variance estimates
        recovery; Zou and Donner, Statist. Med. 27, 2008).
        """
        estimate = self.estimate - other.estimate
        return Shift(
            estimate,
            estimate - hypot(self.estimate - self.lower, other.upper - other.estimate),
            estimate + hypot(self.upper - self.estimate, other.estimate - other.lower),
        )


def mean(shifts: Sequence[Shift]) -> Shift:
    """The mean of independent shifts, its limits as in ``Shift.less``."""
    estimate = fsum(one.estimate for one in shifts) / len(shifts)
    below = hypot(*(one.estimate - one.lower for one in shifts)) / len(shifts)
    above = hypot(*(one.upper - one.estimate for one in shifts)) / len(shifts)
    return Shift(estimate, estimate - below, estimate + above)


def shift(reference: list[float], treated: list[float], z_lower: float, z_upper: float) -> Shift:
    """Hodges-Lehmann shift with its confidence limits: medians and order statistics of all pairwise differences.

    Hodges and Lehmann, Ann. Math. Stat. 34 (1963); limits by inverting the Mann-Whitney test (Moses), its statistic
    taken as normal with mean nm/2 and variance nm(n+m+1)/12. Assumes equal shapes of both distributions, nothing
    about the shape. A limit that the samples are too small for is infinite. Raises ValueError for an empty sample.
    """
    if not reference or not treated:
        raise ValueError("A shift needs at least one time in each arm.")
    rising, falling = sorted(treated), sorted(reference, reverse=True)
    differences = sorted([y - x for x in falling for y in rising])  # runs that are sorted already: twice as fast
    n, m = len(reference), len(treated)
    spread = sqrt(n * m * (n + m + 1) / 12)
    rejected_below, rejected_above = floor(n * m / 2 - z_lower * spread), floor(n * m / 2 - z_upper * spread)
    return Shift(
        median(differences),
        differences[rejected_below] if rejected_below >= 0 else -inf,
        differences[-1 - rejected_above] if rejected_above >= 0 else inf,
    )


def z_fixed(confidence: float) -> float:
    """One-sided normal quantile."""
    return NormalDist().inv_cdf(confidence)


@lru_cache(maxsize=4096)
def share_limit(successes: int, trials: int, error: float) -> float:
    """One-sided upper limit of a share (Clopper and Pearson, Biometrika 26, 1934); 1.0 without trials.

    The largest p for which as few successes still have a probability of ``error``: P(X <= successes | trials, p).
    More than 1000 trials are scaled down to 1000: the limit gets wider, never narrower.
    """
    if successes >= trials:
        return 1.0
    if trials > 1000:
        successes, trials = -(-successes * 1000 // trials), 1000
    ways = [comb(trials, k) for k in range(successes + 1)]
    low, high = 0.0, 1.0
    for _step in range(40):
        p = (low + high) / 2
        below = sum(way * p**k * (1 - p) ** (trials - k) for k, way in enumerate(ways))
        low, high = (p, high) if below > error else (low, p)
    return high


def detectable_share(networks: int, confidence: float) -> float:
    """Smallest share of bad networks that would have shown in ``networks`` distinct ones at this confidence.

    All n miss a share p of bad networks with probability (1 - p)^n; solved for 1 - confidence. 1.0 without networks.
    """
    return 1.0 if networks < 1 else 1 - (1 - confidence) ** (1 / networks)
