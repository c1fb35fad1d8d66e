# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Optional

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Client, Path, Server
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._verdict import judge
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.judge._samples import arm, fast, one

POLICY = Policy()


def plain(*bases: float, requests: int = 30, **spoiled: int) -> Client:
    """What was measured of plain TCP, a path for each base in ms."""
    return Client([Path(f"p{n}", f"s{n}", arm(requests, base, **spoiled)) for n, base in enumerate(bases)])


def accept(
    now: dict[str, Client], before: dict[str, Client], servers: Optional[dict[str, Server]] = None, last: bool = True
) -> dict[str, Any]:
    """The judgement of a batch whose witnesses are a, b, c; all others are its control."""
    hosts = [name for name in now if name in "abc"]
    return judge("accept", hosts, now, before, servers or {}, POLICY, last=last)


def test_as_before_is_promoted() -> None:
    result = accept({"a": plain(200), "out": plain(50)}, {"a": plain(200), "out": plain(50)})
    assert (result["verdict"], result["control"], result["revert"]) == ("promote", {"paths": 1}, [])
    assert result["hosts"]["a"]["summary"] == "as before: +0.0 ms (203.0 → 203.0), 0 of 30 failed, control +0.0 ms"


@pytest.mark.parametrize("drift", [10, 60, 400])
def test_a_drift_of_the_control_is_nobodys_fault(drift: float) -> None:
    before = {"a": plain(200), "b": plain(80), "out": plain(50)}
    assert (
        accept({"a": plain(200 + drift), "b": plain(80 + drift), "out": plain(50 + drift)}, before)["verdict"]
        == "promote"
    )
    result = accept({"a": plain(200 + drift), "b": plain(80 + drift), "out": plain(50)}, before)
    assert result["verdict"] == ("promote" if drift < 25 else "roll_back")


@pytest.mark.parametrize("instances", [1, 3, 5])
def test_a_slow_server_is_seen_on_one_of_many_paths(instances: int) -> None:
    bases = [100.0 * (number + 1) for number in range(instances)]
    slow = [*bases[:-1], bases[-1] + 400]
    before = {"a": plain(*bases, requests=20), "out": plain(50, requests=20)}
    result = accept({"a": plain(*slow, requests=20), "out": plain(50, requests=20)}, before)
    assert result["verdict"] == "roll_back"
    assert "first byte +400.0 ms beyond the control" in result["reasons"][0]
    assert (f"path p{instances - 1} to s{instances - 1}" in result["reasons"][0]) == (instances > 1)


def test_four_requests_without_an_answer_are_enough() -> None:
    """So many are made of a path that is silent since the step."""
    before = {"a": plain(200, requests=20), "out": plain(50, requests=20)}
    now = {"a": plain(200, requests=4, failed=4), "out": plain(50, requests=20)}
    assert accept(now, before)["verdict"] == "roll_back"


def test_a_path_may_wander_by_a_quarter_of_itself() -> None:
    before = {"a": plain(800), "out": plain(50)}
    assert accept({"a": plain(990), "out": plain(50)}, before)["verdict"] == "promote"
    assert accept({"a": plain(1020), "out": plain(50)}, before)["verdict"] == "roll_back"


def test_what_leans_to_harm_is_measured_again_and_then_decided() -> None:
    """Too few requests to prove it."""
    before = {"a": plain(200, requests=4), "out": plain(50)}
    now = {"a": plain(600, requests=4), "out": plain(50)}
    first, final = accept(now, before, last=False), accept(now, before)
    assert (first["verdict"], first["measure"]) == ("inconclusive", {"a": 96})
    assert (final["verdict"], final["measure"]) == ("promote", {})


def test_without_a_control_times_are_shown_and_not_judged() -> None:
    result = accept({"a": plain(600)}, {"a": plain(200)}, last=False)
    words = "shown, not judged: no client of another server to compare with"
    assert (result["verdict"], result["reasons"]) == ("promote", [words])
    assert result["hosts"]["a"]["summary"] == f"{words}; +400.0 ms (203.0 → 603.0), 0 of 30 failed"


@pytest.mark.parametrize("failed", [15, 30])
def test_without_a_control_failing_requests_are_no_pass(failed: int) -> None:
    result = accept({"a": plain(200, failed=failed)}, {"a": plain(200)})
    assert result["verdict"] == "inconclusive"
    assert result["reasons"][0].startswith(f"a: requests fail since the step ({failed} of 30 failed, 0 of 30 before)")


def test_failing_requests_count_beyond_those_of_the_control() -> None:
    before = {"a": plain(200), "out": plain(50)}
    assert accept({"a": plain(200, failed=20), "out": plain(50)}, before)["verdict"] == "roll_back"
    assert accept({"a": plain(200, failed=20), "out": plain(50, failed=20)}, before)["verdict"] == "promote"
    assert accept({"a": plain(200, late=20), "out": plain(50)}, before)["verdict"] == "roll_back"
    assert accept({"a": plain(200, late=20), "out": plain(50, late=20)}, before)["verdict"] == "promote"


def test_when_everything_fails_nothing_is_promoted() -> None:
    before = {"a": plain(200), "out": plain(50)}
    result = accept({"a": plain(200, failed=30), "out": plain(50, failed=29)}, before)
    assert (result["verdict"], result["measure"]) == ("inconclusive", {})


@pytest.mark.parametrize("before", [{}, {"a": Client()}, {"a": plain(200, failed=30)}])
def test_without_anything_before_there_is_nothing_to_compare(before: dict[str, Client]) -> None:
    result = accept({"a": plain(200)}, before)
    assert result["verdict"] == "inconclusive" and "no plain request was answered before" in result["reasons"][0]


def test_one_undecided_witness_of_two_is_no_pass() -> None:
    before = {"a": plain(200), "b": plain(200), "out": plain(50)}
    gone = Client(trouble="gone")
    result = accept({"a": plain(200), "b": gone, "out": plain(50)}, before)
    assert (result["verdict"], result["reasons"]) == ("inconclusive", ["b: its measurement failed: gone"])


STRANGERS = {"TCPFastOpenPassive": 1, "TCPFastOpenPassiveFail": 90000, "TCPFastOpenListenOverflow": 500}


@pytest.mark.parametrize(
    ("server", "verdict", "shown"),
    [
        (Server({}), "promote", "no SYN data reached it"),
        (
            Server(STRANGERS),
            "promote",
            "TCPFastOpenPassive +1, TCPFastOpenListenOverflow +500, TCPFastOpenPassiveFail +90000",
        ),
        (Server(STRANGERS, restarts=1), "roll_back", "its service was restarted 1 times since the step"),
    ],
)
def test_strangers_at_a_server_are_shown_and_restarts_judged(server: Server, verdict: str, shown: str) -> None:
    before = {"a": plain(200), "out": plain(50)}
    result = accept(before, before, {"ss1": server})
    assert result["verdict"] == verdict and result["servers"]["ss1"]["summary"].startswith(shown)


def test_a_control_that_was_measured_once_is_none() -> None:
    assert accept({"a": plain(600), "out": plain(50)}, {"a": plain(200)})["control"] == {"paths": 0}
    before = {"a": plain(200), "out": plain(50)}
    result = accept({"a": plain(200, failed=30), "out": plain(50, failed=30)}, before)
    assert (result["verdict"], result["control"]) == ("inconclusive", {"paths": 0})


def test_requests_with_fast_open_are_none_of_a_batchs_business() -> None:
    spoiled = one(arm(100), fast(100, late=100))
    assert accept({"a": spoiled, "out": spoiled}, {"a": spoiled, "out": spoiled})["verdict"] == "promote"
