# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import log

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import judge_client, success
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy, compare, number, text
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Arm, Client

POLICY = Policy()
NAMES = ("plain", "fast_open")


def arm(requests: int, base: float = 200.0, late: int = 0, failed: int = 0, **counters: int) -> Arm:
    """An arm with evenly spread times around ``base``; the last ones of them late by a second, then the failed ones."""
    times = [base + index % 7 for index in range(requests - failed)]
    for index in range(late):
        times[-1 - index] += 1000
    return Arm(len(times), failed, times, counters)


def fast(requests: int, base: float = 100.0, late: int = 0, failed: int = 0) -> Arm:
    return arm(
        requests, base, late, failed, TCPFastOpenActive=requests - late, TCPFastOpenActiveFail=late, TCPSynRetrans=late
    )


@pytest.mark.parametrize(
    ("reference", "treated", "verdict", "summary"),
    [
        (Arm(), Arm(), "inconclusive", "no data: no request of the kind 'plain'"),
        (arm(5), Arm(), "inconclusive", "no data: no request of the kind 'fast_open'"),
        (arm(5), arm(5, 100), "inconclusive", "wants 10 more requests: failed or late"),
        (arm(15), arm(15, 100), "promote", "fine after 15 requests"),
        (arm(5), arm(5, 210, late=5), "revert", "worse: failed or late"),
        (arm(5), arm(5, failed=5), "revert", "worse: failed or late, failed"),
        (arm(30, late=1), arm(30, 100, late=1), "promote", "fine after 30 requests"),
        (arm(100, late=1), arm(100, 100, late=18), "revert", "worse: failed or late"),
        (arm(100, late=4), arm(100, 100, late=14), "inconclusive", "not clear after all 100 requests"),
        (arm(40, 200), arm(40, 290), "revert", "worse: first byte"),
        (
            arm(10, failed=10),
            arm(10, failed=10),
            "inconclusive",
            "none of 10 requests of the kind 'plain' was answered",
        ),
        # as many late ones as failed ones: only the failures tell them apart
        (arm(40, late=12), arm(40, 100, failed=12), "revert", "worse: failed"),
    ],
)
def test_compare(reference: Arm, treated: Arm, verdict: str, summary: str) -> None:
    finding = compare(reference, treated, POLICY, 5, NAMES)
    assert finding.verdict == verdict, finding.reasons
    assert finding.reasons[0].startswith(summary)


def test_more_is_asked_within_the_budget_and_only_while_it_is_open() -> None:
    assert compare(Arm(), Arm(), POLICY, 5, NAMES).more == 5
    assert compare(arm(5), arm(5, 100), POLICY, 5, NAMES).more == 10
    assert compare(arm(5), arm(5, 100), Policy(requests=12), 5, NAMES).more == 7
    assert compare(arm(100, late=4), arm(100, late=14), POLICY, 5, NAMES).more == 0
    assert compare(arm(10, failed=10), arm(10, failed=10), POLICY, 5, NAMES).more == 0
    earlier = compare(arm(15), arm(100, late=7), POLICY, 5, NAMES)
    assert (earlier.more, earlier.figures["failed_or_late"]["safe_odds_limit"]) == (0, 1)


def test_a_slower_first_byte_is_not_promoted_before_it_is_excluded() -> None:
    """Within the noise of these samples the shift may be above the limit: more is asked, though nothing is late."""
    noisy = [100.0 + 10 * index for index in range(20)]
    finding = compare(Arm(20, 0, noisy), Arm(20, 0, [time + 10 for time in noisy]), POLICY, 5, NAMES)
    assert (finding.verdict, finding.reasons[0]) == ("inconclusive", "wants 10 more requests: first byte")


@pytest.mark.parametrize(("slower", "verdict"), [(10, "promote"), (30, "inconclusive")])
def test_at_the_end_the_estimate_of_the_first_byte_counts(slower: float, verdict: str) -> None:
    noisy = [100.0 + 10 * index for index in range(20)]
    arms = Arm(20, 0, noisy), Arm(20, 0, [time + slower for time in noisy])
    assert compare(*arms, Policy(requests=20), 5, NAMES).verdict == verdict


def test_a_slower_first_byte_does_not_revert_before_it_is_proven() -> None:
    noisy = [100.0 + 10 * index for index in range(20)]
    finding = compare(Arm(20, 0, noisy), Arm(20, 0, [time + 30 for time in noisy]), POLICY, 5, NAMES)
    assert finding.figures["first_byte"]["shift_ms"] == 30 and finding.verdict == "inconclusive"


def test_the_end_of_the_budget_lowers_both_bars() -> None:
    """What is likely enough in a wave of 20 at the end is not on the way there."""
    roomy = Policy(requests=101)
    for late, verdict in (((1, 18), "revert"), ((6, 13), "promote")):
        arms = arm(100, late=late[0]), arm(100, 100, late=late[1])
        assert compare(*arms, POLICY, 20, NAMES).verdict == verdict
        assert compare(*arms, roomy, 20, NAMES).verdict == "inconclusive"


def test_larger_waves_need_more_evidence() -> None:
    limits = [
        compare(arm(5), arm(5), POLICY, size, NAMES).figures["failed_or_late"]["harm_odds_limit"] for size in (1, 20)
    ]
    assert limits == [pytest.approx(600), pytest.approx(6300)]


def test_reasons_hold_the_numbers_that_decided() -> None:
    finding = compare(arm(15), arm(15, 100), POLICY, 5, NAMES)
    odds, shift = finding.figures["failed_or_late"], finding.figures["first_byte"]
    assert odds["safe_odds"] >= odds["safe_odds_limit"] == pytest.approx(25)
    assert f"{odds['safe_odds']:.3g}:1 (enough at 25:1)" in finding.reasons[1]
    assert shift["shift_ms"] == -100 and "-100.0 ms against plain" in finding.reasons[2]
    assert finding.figures["plain"] == {"requests": 15, "failed": 0, "late": 0}


@pytest.mark.parametrize(
    ("odds", "shown"), [(230, "230:1"), (1 / 12, "1:12"), (45678, "45678:1"), (1e9, "over 1000000:1")]
)
def test_odds_are_readable(odds: float, shown: str) -> None:
    assert text(log(odds)) == shown
    assert number(log(odds)) == pytest.approx(odds, rel=1e-3)
    assert number(5000.0) < float("inf") and number(-5000.0) > 0


@pytest.mark.parametrize(
    ("client", "verdict", "summary"),
    [
        (Client(arm(15), fast(15)), "promote", "fine after 15"),
        (Client(arm(15), fast(15), restarts=2), "revert", "its service was restarted 2 times"),
        (Client(arm(5), fast(5, 210, late=5)), "revert", "worse: failed or late"),
        (Client(arm(15), arm(15, 200, TCPFastOpenActive=0)), "revert", "no gain: SYN data is refused"),
        (
            Client(arm(15), arm(15, 150, TCPFastOpenActive=5)),
            "inconclusive",
            "SYN data taken (TCPFastOpenActive): 5 of 15",
        ),
        (Client(arm(15), arm(15, 100)), "inconclusive", "no counter TCPFastOpenActive was measured"),
        (Client(arm(15), Arm()), "inconclusive", "no data"),
        (Client(), "inconclusive", "no data"),
    ],
)
def test_judge_client(client: Client, verdict: str, summary: str) -> None:
    finding = judge_client(client, POLICY, 5)
    assert finding.verdict == verdict, finding.reasons
    assert finding.reasons[0].startswith(summary)
    assert finding.more == 0 if verdict != "inconclusive" else finding.more >= 0


def test_a_process_that_exits_is_told_apart() -> None:
    dying = fast(2, failed=2)
    dying.exits = 2
    finding = judge_client(Client(arm(2), dying), POLICY, 5)
    assert finding.verdict == "revert" and "exited 2 times" in finding.reasons[0]
    both = arm(2, failed=2)
    both.exits = 2
    assert judge_client(Client(both, dying), POLICY, 5).verdict == "inconclusive"


def test_connections_of_others_add_attempts_and_never_hide_refusals() -> None:
    """20 requests of ours refused, 30 good ones of others: 30 of 50, not 20 of 20."""
    mixed = arm(20, 150, TCPFastOpenActive=30, TCPFastOpenActiveFail=20)
    assert judge_client(Client(arm(20), mixed), POLICY, 5).figures["syn_data"]["attempts"] == 50


@pytest.mark.parametrize(
    ("counters", "hint"),
    [
        ({"TCPSynRetrans": 5, "TCPFastOpenActiveFail": 5}, "SYNs with data get lost"),
        ({"TCPFastOpenActiveFail": 5}, "SYN data is refused: TCPFastOpenActiveFail +5, no SYN was sent again"),
        ({"TCPFastOpenBlackhole": 1}, "the kernel paused fast open"),
    ],
)
def test_the_counters_name_the_cause(counters: dict[str, int], hint: str) -> None:
    finding = judge_client(Client(arm(5), arm(5, late=5, TCPFastOpenActive=0, **counters)), POLICY, 5)
    assert finding.verdict == "revert" and any(reason.startswith(hint) for reason in finding.reasons)


def test_success_needs_attempts() -> None:
    assert success(0, 0, POLICY, 5, "x").verdict == "inconclusive"
    assert success(1, 0, POLICY, 5, "x").verdict == "promote"
