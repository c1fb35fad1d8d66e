# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How strongly two shares of spoiled requests differ, when the share that is natural is not known.

Model: a request of the reference arm is spoiled with an unknown natural probability q, one of the treated arm with
q + (1 - q) * extra: what would have been spoiled anyway stays so, and of the rest a share ``extra`` is spoiled as well.
Requests are independent given q and extra; the arms alternate in time, so q is the same for both.

Evidence is a Bayes factor (a mixture sequential probability ratio): the probability of the data under one extra share
divided by that under another, q integrated out over its prior. It may be looked at as often as one likes: under the
hypothesis in the denominator, and q drawn from the prior, it ever reaches A with a probability of at most 1/A
(Ville's inequality; Wald, Ann. Math. Stat. 16, 1945, for simple hypotheses; Robbins, Ann. Math. Stat. 41, 1970, for
mixtures). For single values of q the simulation counts the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p

# Priors of the natural share q: a mixture of Beta distributions, each with its weight. For one path Beta(1, 20): mean
# 4.8 %, median 3.4 %, one network in a hundred above 20 %. The mean of many paths varies less: mostly below 2 %, else
# about 6 %.
Prior = tuple[tuple[float, float, float], ...]
PATH_PRIOR: Prior = ((1.0, 1.0, 20.0),)
POOL_PRIOR: Prior = ((0.6, 6.0, 360.0), (0.4, 4.0, 60.0))
# Extra shares that count as harm, weighted equally: the one that must not be promoted, one in two, and all.
CLIENT_HARM = (0.2, 0.5, 1.0)
# What no single client can show within its budget, and many together have to; the same of failed requests.
POOLED_HARM = 0.05
POOLED_FAILURES = (0.1, 0.2, 0.5)
# The extra share that promotion has to exclude.
UNACCEPTABLE_SHARE = 0.2
# Requests an arm below which nothing can be decided.
STEP = 5


@dataclass(frozen=True)
class Counts:
    """Spoiled requests of all requests, for the treated arm and its reference."""

    treated_spoiled: int
    treated: int
    reference_spoiled: int
    reference: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.treated_spoiled + other.treated_spoiled,
            self.treated + other.treated,
            self.reference_spoiled + other.reference_spoiled,
            self.reference + other.reference,
        )

    def excess(self) -> float:
        """Observed share of the treated arm less that of the reference; 0 without data."""
        if not self.treated or not self.reference:
            return 0.0
        return self.treated_spoiled / self.treated - self.reference_spoiled / self.reference


@lru_cache(maxsize=65536)
def log_probability(counts: Counts, extra: float, prior: Prior = PATH_PRIOR) -> float:
    """Natural logarithm of the probability of one sequence with these counts, q integrated over its prior.

    With s, c the spoiled and clean ones of each arm, and r = q + (1 - q) * extra:
    integral over q of r^s1 (1-r)^c1 q^s0 (1-q)^c0 Beta(q; a, b). As 1 - r = (1 - q)(1 - extra) and r is a sum, the
    binomial theorem turns it into a sum of Beta functions; all terms are positive, so nothing cancels.
    """
    return _log_sum([log(weight) + _log_probability(counts, extra, a, b) for weight, a, b in prior])


def _log_probability(counts: Counts, extra: float, a: float, b: float) -> float:
    spoiled, clean = counts.treated_spoiled, counts.treated - counts.treated_spoiled
    kept, lost = b + clean + counts.reference - counts.reference_spoiled, a + counts.reference_spoiled
    if extra <= 0:
        return _log_beta(lost + spoiled, kept) - _log_beta(a, b)
    if extra >= 1:
        return -inf if clean else _log_beta(lost, kept) - _log_beta(a, b)
    every = lgamma(spoiled + 1)
    terms = [
        every
        - lgamma(j + 1)
        - lgamma(spoiled - j + 1)
        + (spoiled - j) * log(extra)
        + _log_beta(lost + j, kept)
        + j * log1p(-extra)
        for j in range(spoiled + 1)
    ]
    return _log_sum(terms) + clean * log1p(-extra) - _log_beta(a, b)


def harm(counts: Counts, tolerated: float, alternatives: tuple[float, ...], prior: Prior = PATH_PRIOR) -> float:
    """Log odds that the treated arm spoils more than ``tolerated``, against exactly that much."""
    worse = [log_probability(counts, extra, prior) for extra in alternatives if extra > tolerated]
    if not worse:
        return -inf
    return _log_sum(worse) - log(len(worse)) - log_probability(counts, tolerated, prior)


def safety(counts: Counts, tolerated: float = 0.0) -> float:
    """Log odds that the treated arm spoils nothing extra, or no more than is tolerated, against UNACCEPTABLE_SHARE."""
    fine = max(log_probability(counts, 0.0), log_probability(counts, tolerated))
    return fine - log_probability(counts, UNACCEPTABLE_SHARE)


def excluded(counts: Counts, odds: float) -> float:
    """The smallest extra share of many paths together that these log odds speak against; 1.0 without requests."""
    low, high = 0.0, 1.0
    none = log_probability(counts, 0.0, POOL_PRIOR)
    for _step in range(12):
        share = (low + high) / 2
        low, high = (low, share) if none - log_probability(counts, share, POOL_PRIOR) >= odds else (share, high)
    return high


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_sum(terms: list[float]) -> float:
    """Logarithm of the sum of exponentials, without overflow."""
    top = max(terms)
    return top if top == -inf else top + log(sum(exp(term - top) for term in terms))
