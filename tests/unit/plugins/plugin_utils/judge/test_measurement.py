# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _measurement
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import (
    Arm,
    Connection,
    MeasurementError,
)


def arm(times: list[float], failed: int = 0, **counters: int) -> dict[str, Any]:
    return {"ok": len(times), "failed": failed, "ttfb_ms": times, "counters": counters}


def test_measurements_add_up() -> None:
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


def test_a_second_measurement_that_failed_is_no_pass() -> None:
    client = _measurement.client([{"plain": arm([1])}, {"failed": True, "msg": "gone later"}], "c1")
    assert (client.plain.requests, client.trouble) == (1, "gone later")


def seen(syn_data: bool = False, lost: int = 0, rtt: float = 50.0) -> dict[str, Any]:
    return {"syn_data": syn_data, "lost": lost, "rtt_ms": rtt}


def test_paths_add_up_by_name_and_server() -> None:
    def part(*paths: tuple[str, str, float]) -> dict[str, Any]:
        return {
            "paths": [{"name": name, "server": server, "plain": arm([time])} for name, server, time in paths],
            "plain": arm([1, 2, 3]),
        }

    client = _measurement.client([part(("a", "s1", 1), ("a", "s2", 2)), part(("a", "s2", 3), ("b", "s1", 4))], "c1")
    assert {path.key: path.plain.ttfb_ms for path in client.paths} == {
        ("a", "s1"): [1],
        ("a", "s2"): [2, 3],
        ("b", "s1"): [4],
    }
    assert client.plain.ttfb_ms == [1, 2, 3, 4] and client.path(("c", "s1")).plain == Arm()
    assert [path.label for path in client.paths] == ["a to s1", "a to s2", "b to s1"]


def test_a_measurement_without_paths_is_one() -> None:
    client = _measurement.client({"plain": arm([1])}, "c1")
    assert [path.label for path in client.paths] == [""]


def test_connections_tell_what_the_kernel_saw() -> None:
    value = {**arm([1.0, 2.0]), "connections": [seen(), seen(True, 2, 7.5)]}
    read = _measurement.client({"plain": value}, "c1").plain
    assert read.connections == [Connection(False, 0, 50.0), Connection(True, 2, 7.5)] and read.seen


def test_legs_are_two_round_trips_or_one_with_syn_data() -> None:
    measured = Arm(connections=[Connection(False, 0, 50), Connection(True, 0, 50), Connection(False, 1, 0)])
    assert measured.legs() == [100, 50]


@pytest.mark.parametrize(("requests", "connections", "enough"), [(4, 2, True), (4, 1, False), (0, 0, False)])
def test_most_connections_have_to_be_seen(requests: int, connections: int, enough: bool) -> None:
    assert Arm(requests, 0, [1.0] * requests, connections=[Connection(False, 0, 1)] * connections).seen == enough


@pytest.mark.parametrize(
    ("lost", "counters", "with_data", "plain"),
    [
        ([0, 1, 2, 0], {}, 2, 2),
        ([0, 0], {"TCPSynRetrans": 5}, 0, 0),
        ([1, 1, 1, 1], {"TCPSynRetrans": 2}, 4, 2),  # the other two were requests
        ([2, 1, 1, 0], {"TCPSynRetrans": 4}, 3, 3),
        ([1, 1], {"TCPSynRetrans": 9}, 2, 2),  # others on the host lose some as well
    ],
)
def test_lost_syns(lost: list[int], counters: dict[str, int], with_data: int, plain: int) -> None:
    measured = Arm(counters=counters, connections=[Connection(False, number, 1) for number in lost])
    assert (measured.lost(True), measured.lost(False)) == (with_data, plain)


def test_a_taken_syn_was_not_lost() -> None:
    assert Arm(connections=[Connection(True, 1, 1)]).lost(True) == 0


def test_results_of_a_server_add_up() -> None:
    server = _measurement.server([{"counters": {"a": 1}, "restarts": 1}, None, {"counters": {"a": 2}}], "ss1")
    assert (server.counters, server.restarts) == ({"a": 3}, 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "c1, measurement 1: expected a dictionary"),
        ({"plain": []}, "c1, measurement 1: plain: expected a dictionary"),
        ({"plain": {"ok": 3, "ttfb_ms": [1.0]}}, "3 requests were answered, but ttfb_ms holds 1"),
        ({"plain": {"ok": -1}}, "plain: ok must be a count"),
        ({"plain": {"ok": 1.5}}, "plain: ok must be a count"),
        ({"plain": {"failed": True}}, "plain: failed must be a count"),
        ({"plain": {"ok": 1, "ttfb_ms": ["soon"]}}, "list of milliseconds"),
        ({"plain": {"ok": 1, "ttfb_ms": [float("nan")]}}, "list of milliseconds"),
        ({"plain": {"ok": 1, "ttfb_ms": 5}}, "ttfb_ms must be a list"),
        ({"plain": {"counters": {"TCPSynRetrans": "many"}}}, "counters: TCPSynRetrans must be a count"),
        ({"restarts": "often"}, "restarts must be a count"),
        ({"paths": {}, "plain": 1}, "paths must be a list"),
        ({"paths": [{"name": "a", "plain": {"ok": -1}}]}, "c1, measurement 1: a: plain: ok must be a count"),
        ({"plain": {"connections": [{}]}}, "connections: each needs"),
        ({"plain": {"connections": [{"syn_data": 1, "rtt_ms": 1}]}}, "connections: each needs"),
        ({"plain": {"connections": [{"syn_data": True, "rtt_ms": 1, "lost": -1}]}}, "lost must be a count"),
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
