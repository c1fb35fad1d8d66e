# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import inf, sqrt
from random import Random

import pytest
from scipy import optimize, stats

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _interval


def sample(seed: int, size: int, location: float) -> list[float]:
    random = Random(seed)
    return [random.gauss(location, 10) for _number in range(size)]


@pytest.mark.parametrize(("n", "m", "move"), [(15, 15, 0.0), (30, 20, -40.0), (8, 100, 25.0)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_shift_limits_are_where_the_mann_whitney_test_turns(n: int, m: int, move: float, confidence: float) -> None:
    """Inside the limits the one-sided test does not reject the shift, right outside it does."""
    reference, treated = sample(n, n, 100), sample(m + 1, m, 100 + move)
    z = _interval.z_fixed(confidence)
    found = _interval.shift(reference, treated, z, z)

    def p_value(by: float, alternative: str) -> float:
        moved = [time - by for time in treated]
        return stats.mannwhitneyu(moved, reference, alternative=alternative, use_continuity=False, method="asymptotic")[
            1
        ]

    assert p_value(found.lower - 1e-6, "greater") <= 1 - confidence <= p_value(found.lower + 1e-6, "greater")
    assert p_value(found.upper + 1e-6, "less") <= 1 - confidence <= p_value(found.upper - 1e-6, "less")
    assert found.lower < found.estimate < found.upper


def test_shift_estimate_balances_the_ranks() -> None:
    reference, treated = sample(1, 21, 100), sample(2, 17, 120)

    def imbalance(by: float) -> float:
        statistic = stats.mannwhitneyu([time - by for time in treated], reference)[0]
        return statistic - len(reference) * len(treated) / 2

    assert _interval.shift(reference, treated, 2, 2).estimate == pytest.approx(
        optimize.bisect(imbalance, -50, 100), abs=0.2
    )


def test_shift_is_not_moved_by_a_few_late_ones() -> None:
    reference, treated = sample(3, 40, 200), sample(4, 40, 100)
    late = [1200.0] * 6 + treated[6:]
    assert _interval.shift(reference, late, 2, 2).estimate == pytest.approx(-100, abs=10)


def test_too_few_times_have_no_limits() -> None:
    found = _interval.shift([100, 101], [90, 91], 3, 3)
    assert (found.lower, found.estimate, found.upper) == (-inf, -10, inf)
    with pytest.raises(ValueError, match="at least one"):
        _interval.shift([], [1.0], 2, 2)


def test_z_fixed_is_the_normal_quantile() -> None:
    assert _interval.z_fixed(0.95) == pytest.approx(stats.norm.ppf(0.95))


def test_differences_and_means_of_shifts_are_those_of_normal_estimates() -> None:
    """With symmetric limits z standard errors away, the method of variance estimates recovery is the usual interval."""
    z = stats.norm.ppf(0.975)
    errors = (3.0, 4.0)
    one, other = (_interval.Shift(at, at - z * error, at + z * error) for at, error in zip((50.0, 20.0), errors))
    low, high = stats.norm(30, sqrt(3.0**2 + 4.0**2)).interval(0.95)
    found = one.less(other)
    assert (found.estimate, found.lower, found.upper) == pytest.approx((30, low, high))
    low, high = stats.norm(35, sqrt(3.0**2 + 4.0**2) / 2).interval(0.95)
    found = _interval.mean([one, other])
    assert (found.estimate, found.lower, found.upper) == pytest.approx((35, low, high))


def test_unknown_limits_stay_unknown() -> None:
    wide, narrow = _interval.Shift(0, -inf, inf), _interval.Shift(5, 4, 6)
    assert (narrow.less(wide).lower, narrow.less(wide).upper) == (-inf, inf)
    assert _interval.mean([narrow, wide]).lower == -inf


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (0, 12), (3, 20), (49, 100), (99, 100), (500, 1000)])
@pytest.mark.parametrize("error", [0.05, 0.0002])
def test_share_limit_is_clopper_pearson(successes: int, trials: int, error: float) -> None:
    wanted = stats.beta.ppf(1 - error, successes + 1, trials - successes)
    assert _interval.share_limit(successes, trials, error) == pytest.approx(wanted, abs=1e-9)
    two_sided = stats.binomtest(successes, trials).proportion_ci(1 - 2 * error, "exact")
    assert _interval.share_limit(successes, trials, error) == pytest.approx(two_sided.high, abs=1e-9)


def test_share_limit_at_the_ends() -> None:
    assert _interval.share_limit(0, 0, 0.05) == _interval.share_limit(7, 7, 0.05) == 1.0


def test_share_limit_of_many_trials_is_that_of_a_thousand() -> None:
    exact = stats.beta.ppf(0.95, 100_001, 400_000)
    assert exact < _interval.share_limit(100_000, 500_000, 0.05) == _interval.share_limit(200, 1000, 0.05)
    assert _interval.share_limit(1, 3000, 0.05) == _interval.share_limit(1, 1000, 0.05)


@pytest.mark.parametrize(("networks", "percent"), [(0, 100), (1, 95), (14, 19), (59, 5), (299, 1)])
def test_detectable_share(networks: int, percent: int) -> None:
    """14, 59 and 299 networks show a breakage of 20, 5 and 1 % with 95 % probability."""
    share = _interval.detectable_share(networks, 0.95)
    assert round(share * 100) == percent
    assert stats.binom(networks, share).pmf(0) == pytest.approx(0.05 if networks else 1.0)
