# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._pool import pool, smallest_harm
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.judge._samples import arm, fast, one, seen

POLICY = Policy()


def clients(number: int, requests: int, late: int, without: int = 0) -> list[Client]:
    return [one(arm(requests, late=without), fast(requests, late=late)) for _client in range(number)]


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [
        (clients(5, 20, 0), "promote"),
        (clients(1, 20, 0), "inconclusive"),
        (clients(5, 20, 1, 1), "inconclusive"),
        (clients(20, 20, 1), "roll_back"),
        (clients(20, 60, 3), "roll_back"),
        ([], "promote"),
    ],
)
def test_the_first_look_asks_again_unless_harm_is_excluded_or_proven(kept: list[Client], verdict: str) -> None:
    finding = pool(kept, POLICY, len(kept), last=False)
    assert finding.verdict == verdict, finding
    assert (finding.more > 0) == (verdict == "inconclusive")


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [
        (clients(5, 100, 7, 2), "roll_back"),
        (clients(5, 100, 5, 3), "promote"),
        (clients(20, 100, 7, 2), "roll_back"),
        (clients(20, 100, 2, 2), "promote"),
        (clients(1, 100, 5, 1), "promote"),
    ],
)
def test_the_last_look_decides_for_good(kept: list[Client], verdict: str) -> None:
    finding = pool(kept, POLICY, len(kept), last=True)
    assert (finding.verdict, finding.more) == (verdict, 0), finding


def test_a_first_look_asks_again_where_a_last_one_would_roll_back() -> None:
    """Two of twenty are late at each of five: more requests cost less than a wave that goes back for nothing."""
    kept = clients(5, 20, 2)
    assert [pool(kept, POLICY, 5, last).verdict for last in (False, True)] == ["inconclusive", "roll_back"]


def test_many_clients_are_not_rolled_back_by_odds_of_three_to_one() -> None:
    """What it would cost grows with them, the doubt does not go with it."""
    kept = [*clients(16, 100, 4, 1), *clients(4, 100, 1, 1)]
    finding = pool(kept, POLICY, 20, last=True)
    assert finding.verdict == "promote" and "odds of harm 3.48:1 (proven at 5:1)" in finding.reasons[0]


def test_what_could_not_be_excluded_is_told() -> None:
    assert "5 clients together exclude 6.5% more lost SYNs" in pool(clients(5, 100, 5, 3), POLICY, 5, True).summary
    assert pool(clients(1, 20, 0, 0), POLICY, 1, False).summary.startswith("1 client excludes ")
    assert "more lost SYNs so far, 5% are wanted" in pool(clients(2, 20, 0, 0), POLICY, 2, False).summary
    assert "1 client excludes " in pool(clients(1, 100, 5, 1), POLICY, 1, True).summary
    assert "(proven at 6:1)" in pool(clients(5, 100, 5, 3), POLICY, 5, True).reasons[0]


def test_failures_to_all_are_seen_as_well() -> None:
    """Their SYNs arrive, and what follows fails: 12 % of it, 5 % are tolerated."""
    kept = [one(seen(arm(100)), seen(fast(100, failed=12), taken=100)) for _client in range(10)]
    finding = pool(kept, POLICY, 10, True)
    assert finding.verdict == "roll_back" and "120 of 1000 failed, 0 of 1000 without" in finding.summary
    assert pool(kept, Policy(max_error_share=0.1), 10, True).verdict == "promote"


def test_one_failed_request_among_hundreds_of_clients_is_nothing() -> None:
    kept = [*clients(499, 20, 0), one(arm(20), fast(20, failed=1))]
    assert pool(kept, POLICY, 500, False).verdict == "promote"


def test_larger_waves_exclude_smaller_harm() -> None:
    found = [smallest_harm(number, POLICY) for number in (1, 5, 20, 100)]
    assert found == sorted(found, reverse=True)
    assert found == [pytest.approx(0.065, abs=0.01), pytest.approx(0.026, abs=0.01), *found[2:]]
    assert smallest_harm(5, Policy(requests=20)) > found[1]
