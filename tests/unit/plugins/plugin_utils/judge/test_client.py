# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Arm, Client, Path
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import judge_client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.judge._samples import arm, fast, one, seen

POLICY = Policy()


@pytest.mark.parametrize(
    ("client", "verdict", "summary"),
    [
        (one(arm(15), fast(15)), "promote", "gains 100.0 ms (203.0 → 103.0), 0 of 15 failed"),
        (one(arm(30, late=1), fast(30, late=1)), "promote", "gains 100.0 ms"),
        (one(arm(15), fast(15), restarts=2), "revert", "its service was restarted 2 times"),
        (one(arm(15), fast(15, 210, late=14)), "revert", "loses SYNs with data: 14 of 15 late, 0 of 15 without"),
        (one(arm(40), fast(40, failed=20)), "revert", "loses SYNs with data: 20 of 40 late, 0 of 40 without"),
        (one(arm(100, late=1), fast(100, late=18)), "revert", "loses SYNs with data: 18 of 100 late"),
        (one(arm(40), fast(40, 290)), "revert", "slower with fast open: first byte +90.0 ms"),
        (one(arm(20), arm(20, 200, TCPFastOpenActive=0)), "revert", "no gain: SYN data taken by 0 of 20"),
        (
            one(arm(15), arm(15, 150, TCPFastOpenActive=5)),
            "inconclusive",
            "undecided after 15 requests: SYN data taken",
        ),
        (one(arm(15), arm(15, 100)), "inconclusive", "undecided after 15 requests: SYN data taken (neither"),
        (one(arm(5), fast(5)), "promote", "gains"),
        (one(arm(15), Arm()), "inconclusive", "no data: no request with fast open"),
        (one(Arm(), fast(15)), "inconclusive", "no data: no request with plain TCP"),
        (one(arm(9, failed=9), fast(9, failed=9)), "inconclusive", "none of 9 plain requests was answered"),
        (Client(), "inconclusive", "no data: nothing was measured"),
    ],
)
def test_the_last_look(client: Client, verdict: str, summary: str) -> None:
    finding = judge_client(client, POLICY, 5, last=True)
    assert (finding.verdict, finding.more) == (verdict, 0), finding
    assert finding.summary.startswith(summary)


@pytest.mark.parametrize(
    ("client", "more"),
    [
        (one(arm(20), fast(20)), 0),
        (one(arm(5), fast(5)), 95),
        (one(arm(20), fast(20, late=1)), 80),
        (one(arm(5), fast(5, late=5)), 0),
        (one(arm(99), fast(99, late=10)), 1),
        (one(arm(4, failed=4), fast(4)), 96),
        (one(arm(2, failed=2), fast(2, failed=2)), 0),  # silent: tfo_tunnel has given it up
        (one(arm(5, failed=5), fast(5)), 0),
        (Client(), 100),
    ],
)
def test_the_first_look_asks_for_the_rest_of_the_budget_where_it_is_open(client: Client, more: int) -> None:
    finding = judge_client(client, POLICY, 5)
    assert finding.more == more
    assert (finding.verdict == "inconclusive") == (more > 0) or not client.plain.ok


def test_when_the_budget_has_ended_the_first_look_is_the_last() -> None:
    client = one(arm(100, late=1), fast(100, late=6))
    assert judge_client(client, POLICY, 5) == judge_client(client, POLICY, 5, last=True)


@pytest.mark.parametrize(("late", "verdict"), [(8, "promote"), (11, "inconclusive"), (16, "revert")])
def test_between_safe_and_harmful_it_stays_undecided(late: int, verdict: str) -> None:
    finding = judge_client(one(arm(100, late=1), fast(100, late=late)), POLICY, 5)
    assert finding.verdict == verdict, finding


def test_a_process_that_exits_is_told_apart() -> None:
    dying = fast(2, failed=2)
    dying.exits = 2
    finding = judge_client(one(arm(2), dying), POLICY, 5)
    assert finding.verdict == "revert" and "exited 2 times" in finding.summary
    both = arm(2, failed=2)
    both.exits = 2
    assert judge_client(one(both, dying), POLICY, 5).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("failed", "tolerated", "verdict"), [(10, 0.05, "promote"), (10, 0.0, "inconclusive"), (18, 0.0, "revert")]
)
def test_a_failed_request_is_tolerated_up_to_the_share(failed: int, tolerated: float, verdict: str) -> None:
    """None of these lost its SYN: the connections tell."""
    client = one(seen(arm(100)), seen(fast(100, failed=failed), 100, taken=100))
    assert judge_client(client, Policy(max_error_share=tolerated), 1, last=True).verdict == verdict


def test_a_lost_syn_is_not_tolerated_at_all() -> None:
    """The same number as SYNs that got lost, and none of the requests failed."""
    client = one(seen(arm(100)), seen(fast(100), 100, lost=16, taken=84))
    assert judge_client(client, Policy(max_error_share=0.1), 1, last=True).summary.startswith(
        "loses SYNs with data: 16"
    )


def test_a_noisy_origin_is_not_the_paths_fault() -> None:
    """Its answers are late by seconds now and then, whatever the request; the connections have lost nothing."""
    plain, treated = arm(20), fast(20)
    treated.ttfb_ms = [time + 1500 * (number % 3) for number, time in enumerate(treated.ttfb_ms)]
    assert judge_client(one(plain, treated), POLICY, 5, last=True).verdict != "promote"
    finding = judge_client(one(seen(plain), seen(treated, taken=20)), POLICY, 5)
    assert finding.verdict == "promote" and finding.summary.startswith(
        "gains 101.0 ms (202.0 → 101.0) to the server, 0 of 20"
    )


@pytest.mark.parametrize(
    ("slower", "verdict"), [(-100.0, "promote"), (10.0, "promote"), (19.0, "inconclusive"), (40.0, "revert")]
)
def test_the_upper_limit_of_the_leg_decides_also_at_the_end(slower: float, verdict: str) -> None:
    """The estimate of 19 is within the limit of 20, and its interval is not."""
    plain, treated = arm(100), arm(100)
    for number in range(100):
        noise = number % 25
        plain.connections += seen(Arm(1, 0, [1.0]), 100.0 + noise).connections
        treated.connections += seen(Arm(1, 0, [1.0]), 200.0 + slower + 2 * noise, taken=1).connections
    finding = judge_client(one(plain, treated), POLICY, 5, last=True)
    assert finding.verdict == verdict, finding
    assert verdict != "revert" or "on the way to the server" in finding.summary


@pytest.mark.parametrize(("slower", "verdict"), [(10, "promote"), (19, "inconclusive"), (50, "revert")])
def test_of_the_first_byte_where_no_connection_was_seen(slower: float, verdict: str) -> None:
    noisy = [100.0 + number % 25 for number in range(100)]
    counters = {"TCPFastOpenActive": 100}
    client = one(Arm(100, 0, noisy), Arm(100, 0, [time + slower for time in noisy], counters))
    assert judge_client(client, POLICY, 5, last=True).verdict == verdict


def test_a_first_byte_that_is_proven_slower_reverts_whatever_the_leg_says() -> None:
    client = one(seen(arm(40)), seen(fast(40, 290), taken=40))
    assert judge_client(client, POLICY, 5).summary == "slower with fast open: first byte +90.0 ms"


def test_connections_tell_better_than_the_counter_whether_syn_data_was_taken() -> None:
    """The counter belongs to the namespace: here others have had their data taken, and ours was refused."""
    refused = seen(arm(20, 200, TCPFastOpenActive=50), 100, taken=0)
    assert judge_client(one(seen(arm(20)), refused), POLICY, 5).summary == "no gain: SYN data taken by 0 of 20"
    unseen = arm(20, 200, TCPFastOpenActive=50)
    assert judge_client(one(arm(20), unseen), POLICY, 5).verdict != "revert"


def test_connections_of_others_add_attempts_and_never_hide_refusals() -> None:
    """20 requests of ours refused, 30 good ones of others: 30 of 50, not 20 of 20."""
    mixed = arm(20, 150, TCPFastOpenActive=30, TCPFastOpenActiveFail=20)
    figures = judge_client(one(arm(20), mixed), POLICY, 5).figures["paths"][""]
    assert figures["SYN_data_taken"]["attempts"] == 50


def paths(*treated: Arm) -> Client:
    return Client([Path(f"p{n}", f"s{n}", arm(treated_.requests), treated_) for n, treated_ in enumerate(treated)])


@pytest.mark.parametrize(("bad", "words"), [(fast(20, 600), "slower"), (fast(20, late=18), "loses SYNs with data")])
def test_one_bad_path_of_three_reverts_the_client_and_is_named(bad: Arm, words: str) -> None:
    finding = judge_client(paths(fast(20), bad, fast(20)), POLICY, 5)
    assert finding.verdict == "revert" and finding.summary.startswith(f"path p1 to s1: {words}")
    assert any(reason.startswith("path p0 to s0: ") for reason in finding.reasons)


def test_good_paths_are_summed_up() -> None:
    finding = judge_client(paths(fast(20), fast(20, 150)), POLICY, 5)
    assert finding.summary == "gains 50.0 ms to 100.0 ms on 2 paths, 0 of 40 failed"


def test_a_client_that_is_bad_on_all_paths_a_little_is_not_safe() -> None:
    """2 of 16 on one of six paths may be chance, on each of them they are not."""
    finding = judge_client(paths(*(fast(16, late=2) for _path in range(6))), POLICY, 5, last=True)
    assert finding.verdict == "inconclusive"
    alone = judge_client(paths(fast(16, late=2), *(fast(16) for _path in range(5))), POLICY, 5, last=True)
    assert alone.verdict == "promote"


@pytest.mark.parametrize(
    ("counters", "hint"),
    [
        ({"TCPSynRetrans": 5, "TCPFastOpenActiveFail": 5}, "SYNs with data get lost"),
        ({"TCPFastOpenActiveFail": 5}, "SYN data is refused: TCPFastOpenActiveFail +5, no SYN was sent again"),
        ({"TCPFastOpenBlackhole": 1}, "the kernel paused fast open"),
    ],
)
def test_the_counters_name_the_cause(counters: dict[str, int], hint: str) -> None:
    finding = judge_client(one(arm(5), arm(5, late=5, TCPFastOpenActive=0, **counters)), POLICY, 5)
    assert finding.verdict == "revert" and any(reason.startswith(hint) for reason in finding.reasons)


def test_a_larger_wave_needs_more_evidence_at_the_first_look() -> None:
    limits = [judge_client(one(arm(20), fast(20)), POLICY, size).figures["paths"][""]["late"] for size in (1, 20)]
    assert [limit["harm_odds_limit"] for limit in limits] == [pytest.approx(800), pytest.approx(8400)]
