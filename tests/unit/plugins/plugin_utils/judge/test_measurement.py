# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _measurement
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Arm, MeasurementError


def arm(times: list[float], failed: int = 0, **counters: int) -> dict[str, Any]:
    return {"ok": len(times), "failed": failed, "ttfb_ms": times, "counters": counters}


def test_rounds_add_up() -> None:
    first = {"plain": arm([200], 1), "fast_open": arm([100], TCPFastOpenActive=1), "restarts": 2, "network": "dsl"}
    second = {"plain": arm([201, 202]), "fast_open": arm([101], 2, TCPFastOpenActive=3, TCPSynRetrans=2), "restarts": 1}
    client = _measurement.client([first, None, second], "c1")
    assert (client.plain.ok, client.plain.failed, client.plain.requests) == (3, 1, 4)
    assert client.plain.ttfb_ms == [200, 201, 202]
    assert client.fast_open.counters == {"TCPFastOpenActive": 4, "TCPSynRetrans": 2}
    assert (client.restarts, client.network, client.trouble) == (2, "dsl", "")


def test_a_single_result_needs_no_list_and_other_keys_do_not_matter() -> None:
    client = _measurement.client({"changed": False, "saved_ms": 3, "plain": arm(["200.5"])}, "c1")
    assert client.plain.ttfb_ms == [200.5] and client.fast_open == Arm()


@pytest.mark.parametrize("state", ["failed", "unreachable"])
def test_failed_results_are_no_data(state: str) -> None:
    client = _measurement.client([{state: True, "msg": "gone", "plain": arm([1])}], "c1")
    assert client.plain.requests == 0 and client.trouble == "gone"


@pytest.mark.parametrize("state", ["failed", "unreachable"])
def test_a_later_round_that_failed_is_no_pass(state: str) -> None:
    """What tfo_tunnel gives: the rounds so far, and that the last one failed."""
    client = _measurement.client({state: True, "msg": "gone later", "rounds": [{"plain": arm([1])}]}, "c1")
    assert (client.plain.requests, client.trouble) == (1, "gone later")


def test_server_rounds_add_up() -> None:
    server = _measurement.server([{"counters": {"a": 1}, "restarts": 1}, None, {"counters": {"a": 2}}], "ss1")
    assert (server.counters, server.restarts) == ({"a": 3}, 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "c1, round 1: expected a dictionary"),
        ({"plain": []}, "c1, round 1: plain: expected a dictionary"),
        ({"plain": {"ok": 3, "ttfb_ms": [1.0]}}, "3 requests were answered, but ttfb_ms holds 1"),
        ({"plain": {"ok": -1}}, "plain: ok must be a count"),
        ({"plain": {"ok": 1.5}}, "plain: ok must be a count"),
        ({"plain": {"failed": True}}, "plain: failed must be a count"),
        ({"plain": {"ok": 1, "ttfb_ms": ["soon"]}}, "list of milliseconds"),
        ({"plain": {"ok": 1, "ttfb_ms": [float("nan")]}}, "list of milliseconds"),
        ({"plain": {"ok": 1, "ttfb_ms": 5}}, "list of milliseconds"),
        ({"plain": {"counters": {"TCPSynRetrans": "many"}}}, "counters: TCPSynRetrans must be a count"),
        ({"restarts": "often"}, "restarts must be a count"),
    ],
)
def test_unreadable(value: Any, message: str) -> None:
    with pytest.raises(MeasurementError, match=message):
        _measurement.client(value, "c1")


@pytest.mark.parametrize(
    ("times", "baseline", "late"),
    [
        ([200], 200, 0),
        ([200, 1200], 200, 1),
        ([1200, 200, 210, 205], 200, 1),
        ([1200, 1205, 3200, 200, 202], 202, 3),
        ([100, 599.9, 600], 100, 1),
    ],
)
def test_late_requests(times: list[float], baseline: float, late: int) -> None:
    measured = Arm(len(times), 0, times)
    assert measured.baseline() == baseline and measured.late(baseline) == late
