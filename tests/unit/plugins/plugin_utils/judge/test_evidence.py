# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import exp, inf, log
from random import Random

import pytest
from scipy import integrate, stats

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _evidence
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import Counts


@pytest.mark.parametrize("extra", [0.0, 0.01, 0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(
    "counts",
    [
        Counts(0, 0, 0, 0),
        Counts(0, 15, 0, 15),
        Counts(5, 5, 0, 5),
        Counts(3, 20, 1, 18),
        Counts(18, 100, 1, 100),
        Counts(40, 100, 35, 90),
    ],
)
@pytest.mark.parametrize("prior", [_evidence.PATH_PRIOR, _evidence.POOL_PRIOR])
def test_the_probability_is_the_integral_over_the_prior(counts: Counts, extra: float, prior: _evidence.Prior) -> None:
    def belief(q: float) -> float:
        return sum(weight * stats.beta(a, b).pdf(q) for weight, a, b in prior)

    def density(q: float) -> float:
        spoiled = q + (1 - q) * extra
        # binom.pmf of a sequence, without the number of its orders
        treated = spoiled**counts.treated_spoiled * (1 - spoiled) ** (counts.treated - counts.treated_spoiled)
        reference = q**counts.reference_spoiled * (1 - q) ** (counts.reference - counts.reference_spoiled)
        return treated * reference * belief(q)

    wanted, _error = integrate.quad(density, 0, 1, epsabs=0, epsrel=1e-9, limit=500, points=[0.01, 0.05, 0.1])
    assert exp(_evidence.log_probability(counts, extra, prior)) == pytest.approx(wanted, rel=1e-6, abs=1e-300)


def test_without_extra_loss_it_is_the_beta_binomial_of_both_arms_together() -> None:
    counts = Counts(4, 30, 2, 40)
    wanted = stats.betabinom(70, 1, 20).logpmf(6)
    orders = log(stats.binom(70, 0.5).pmf(6) / 0.5**70)
    assert _evidence.log_probability(counts, 0.0) + orders == pytest.approx(wanted)


def test_evidence_grows_with_what_is_seen() -> None:
    seen = [_evidence.harm(Counts(bad, 20, 1, 20), 0.01, _evidence.CLIENT_HARM) for bad in range(21)]
    assert seen == sorted(seen) and seen[0] < 0 < seen[20]
    safe = [_evidence.safety(Counts(bad, 20, 1, 20)) for bad in range(21)]
    assert safe == sorted(safe, reverse=True) and safe[20] < 0 < safe[0]


def test_a_loss_in_both_arms_is_natural() -> None:
    """The same losses speak for harm when the plain arm has none, and not when it has as many."""
    assert _evidence.harm(Counts(6, 30, 0, 30), 0.01, _evidence.CLIENT_HARM) > log(20)
    assert _evidence.harm(Counts(6, 30, 6, 30), 0.01, _evidence.CLIENT_HARM) < 0


def test_tolerated_harm_is_none() -> None:
    counts = Counts(5, 60, 0, 60)
    assert _evidence.harm(counts, 0.1, (0.2, 0.5)) < _evidence.harm(counts, 0.0, (0.2, 0.5))
    assert _evidence.harm(counts, 0.1, (0.05, 0.1, 0.5)) == _evidence.harm(counts, 0.1, (0.5,))


def test_no_alternative_beyond_what_is_tolerated_is_no_harm() -> None:
    assert _evidence.harm(Counts(20, 20, 0, 20), 0.6, (0.2, 0.5)) == -inf


@pytest.mark.parametrize("counts", [Counts(0, 100, 0, 100), Counts(10, 500, 10, 500), Counts(40, 2000, 30, 2000)])
def test_the_excluded_share_is_where_the_odds_turn(counts: Counts) -> None:
    share = _evidence.excluded(counts, log(20))

    def odds(extra: float) -> float:
        none, some = (_evidence.log_probability(counts, one, _evidence.POOL_PRIOR) for one in (0.0, extra))
        return none - some

    assert odds(share) >= log(20) > odds(share - 0.001)


def test_without_requests_nothing_is_excluded() -> None:
    assert _evidence.excluded(Counts(0, 0, 0, 0), log(20)) == 1.0


def test_thousands_of_requests_can_be_reckoned_with() -> None:
    assert _evidence.harm(Counts(3000, 50_000, 500, 50_000), 0.0, (0.05,), _evidence.POOL_PRIOR) > 100


def test_harmless_looks_at_every_request_rarely_raise_an_alarm() -> None:
    """Ville's inequality: with q from the prior, odds of A are ever reached with a probability of at most 1/A."""
    random, runs, alarms = Random(7), 1200, 0
    for _run in range(runs):
        q = random.betavariate(1, 20)
        spoiled = [0, 0]
        for request in range(1, 41):
            spoiled[0] += random.random() < q
            spoiled[1] += random.random() < q
            counts = Counts(spoiled[0], request, spoiled[1], request)
            if _evidence.harm(counts, 0.0, _evidence.CLIENT_HARM) >= log(20):
                alarms += 1
                break
    assert 0 < alarms <= stats.binom(runs, 1 / 20).ppf(0.999)
