# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confidence intervals: the shift between two samples of times, a share, and what a set of networks excludes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb, floor, inf, log, sqrt
from statistics import NormalDist, median

# Requests at which the sequential bound is tightest (the variance of Robbins' mixing distribution is 1/SHARPEST).
SHARPEST = 10


@dataclass(frozen=True)
class Shift:
    """Treated times less reference times, in the unit of the samples (here ms)."""

    estimate: float
    lower: float
    upper: float


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
    """One-sided normal quantile, for a single look."""
    return NormalDist().inv_cdf(confidence)


def z_sequential(error: float, requests: int) -> float:
    """Normal score that a harmless arm ever exceeds with a probability of at most ``error``, however often it is seen.

    Robbins' mixture boundary, Ann. Math. Stat. 41 (1970): with S a random walk of variance n and a normal mixture of
    variance 1/r, S / sqrt(n) stays below sqrt((1 + r/n) (ln(1 + n/r) + 2 ln(1/error))). Asymptotic for rank statistics.
    """
    n, r = max(requests, 1), SHARPEST
    return sqrt((1 + r / n) * (log(1 + n / r) + 2 * log(1 / error)))


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
