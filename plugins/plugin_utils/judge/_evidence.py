# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How strongly two shares of spoiled requests differ, when the share that is natural is not known.

Model: a request of the reference arm is spoiled with an unknown natural probability q, one of the treated arm with
q + (1 - q) * extra: what would have been spoiled anyway stays so, and of the rest a share ``extra`` is spoiled as well.
Requests are independent given q and extra; the arms alternate in time, so q is the same for both.

Evidence is a Bayes factor (a mixture sequential probability ratio): the probability of the data under one extra share
divided by that under another, q integrated out over its prior. It may be looked at after every request: under the
hypothesis in the denominator, and q drawn from the prior, it ever reaches A with a probability of at most 1/A
(Ville's inequality; Wald, Ann. Math. Stat. 16, 1945, for simple hypotheses; Robbins, Ann. Math. Stat. 41, 1970, for
mixtures). For single values of q the simulation counts the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, inf, lgamma, log

# Prior of the natural share q: Beta(1, 20). Mean 4.8 %, median 3.4 %, one network in a hundred above 20 %.
PRIOR_SPOILED, PRIOR_CLEAN = 1.0, 20.0
# Extra shares that count as harm, weighted equally: the one that must not be promoted, one in two, and all.
CLIENT_HARM = (0.2, 0.5, 1.0)
# Many clients together show less: what no single client can show within its budget.
POOLED_HARM = (0.05, 0.1, 0.2, 0.5)
# The extra share that promotion has to exclude.
UNACCEPTABLE_SHARE = 0.2
# Requests an arm before the first look and the fewest between two: a look costs the playbook a round, and fewer
# than five decide nothing in a wave of 20.
STEP = 5


@dataclass(frozen=True)
class Counts:
    """Spoiled requests of all requests, for the treated arm and its reference."""

    treated_spoiled: int
    treated: int
    reference_spoiled: int
    reference: int

    def plus(self, treated_spoiled: int, requests: int) -> Counts:
        """These counts after ``requests`` more in each arm, the reference ones clean."""
        return Counts(
            self.treated_spoiled + treated_spoiled,
            self.treated + requests,
            self.reference_spoiled,
            self.reference + requests,
        )

    def excess(self) -> float:
        """Observed share of the treated arm less that of the reference; 0 without data."""
        if not self.treated or not self.reference:
            return 0.0
        return self.treated_spoiled / self.treated - self.reference_spoiled / self.reference


@dataclass(frozen=True)
class Odds:
    """Limits, as natural logarithms of odds, from which on harm is proven, or excluded."""

    harm: float
    safe: float


@lru_cache(maxsize=65536)
def log_probability(counts: Counts, extra: float) -> float:
    """Natural logarithm of the probability of one sequence with these counts, q integrated over its prior.

    With s, c the spoiled and clean ones of each arm, and r = q + (1 - q) * extra:
    integral over q of r^s1 (1-r)^c1 q^s0 (1-q)^c0 Beta(q; a, b). As 1 - r = (1 - q)(1 - extra) and r is a sum, the
    binomial theorem turns it into a sum of Beta functions; all terms are positive, so nothing cancels.
    """
    spoiled, clean = counts.treated_spoiled, counts.treated - counts.treated_spoiled
    kept = PRIOR_CLEAN + clean + counts.reference - counts.reference_spoiled
    lost = PRIOR_SPOILED + counts.reference_spoiled
    prior = _log_beta(PRIOR_SPOILED, PRIOR_CLEAN)
    if extra <= 0:
        return _log_beta(lost + spoiled, kept) - prior
    if extra >= 1:
        return -inf if clean else _log_beta(lost, kept) - prior
    terms = [
        log(comb(spoiled, j)) + (j + clean) * log(1 - extra) + (spoiled - j) * log(extra) + _log_beta(lost + j, kept)
        for j in range(spoiled + 1)
    ]
    return _log_sum(terms) - prior


def harm(counts: Counts, tolerated: float, alternatives: tuple[float, ...]) -> float:
    """Log odds that the treated arm spoils more than ``tolerated``, against exactly that much."""
    worse = [log_probability(counts, extra) for extra in alternatives if extra > tolerated]
    return _log_sum(worse) - log(len(worse)) - log_probability(counts, tolerated)


def safety(counts: Counts) -> float:
    """Log odds that the treated arm spoils nothing extra, against UNACCEPTABLE_SHARE."""
    return log_probability(counts, 0.0) - log_probability(counts, UNACCEPTABLE_SHARE)


def decide(counts: Counts, tolerated: float, odds: Odds) -> int:
    """1 harm is proven, -1 harm is excluded, 0 neither."""
    if harm(counts, tolerated, CLIENT_HARM) >= odds.harm:
        return 1
    return -1 if safety(counts) >= odds.safe else 0


def wanted(counts: Counts, tolerated: float, odds: Odds, left: int) -> int:
    """Requests an arm until the nearest possible decision, if all go the way that the evidence leans now."""
    leans_safe = safety(counts) > 0
    for step in range(1, left):
        ahead = counts.plus(0 if leans_safe else step, step)
        if decide(ahead, tolerated, odds) == (-1 if leans_safe else 1):
            return min(max(step, STEP), left)
    return left


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_sum(terms: list[float]) -> float:
    """Logarithm of the sum of exponentials, without overflow."""
    top = max(terms)
    return top if top == -inf else top + log(sum(exp(term - top) for term in terms))
