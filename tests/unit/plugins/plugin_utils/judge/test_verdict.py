# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Client, Server
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._lines import lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._verdict import first_requests, judge
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.judge._samples import arm, fast, one, seen

POLICY = Policy()


def good(network: str = "a", requests: int = 20) -> Client:
    return one(arm(requests), fast(requests), network=network)


def bad() -> Client:
    return one(arm(5), fast(5, 200, late=5), network="bad")


def wave(size: int, **others: Client) -> dict[str, Client]:
    return {**{f"c{number}": good(f"n{number}") for number in range(size - len(others))}, **others}


def send(clients: dict[str, Client], **more: Any) -> dict[str, Any]:
    """Judge all these clients as a wave, unless ``hosts`` says otherwise; the result must be JSON as it stands."""
    hosts, earlier, last = more.pop("hosts", list(clients)), more.pop("earlier", (0, 0)), more.pop("last", True)
    policy, servers, before = more.pop("policy", POLICY), more.pop("servers", {}), more.pop("before", {})
    assert not more
    result = judge("send", hosts, clients, before, servers, policy, earlier, last)
    json.dumps(result, allow_nan=False)
    return result


@pytest.mark.parametrize(("paths", "requests"), [(0, 20), (1, 20), (3, 60), (5, 100), (8, 100)])
def test_each_path_makes_its_first_requests_within_the_budget(paths: int, requests: int) -> None:
    assert first_requests(paths, POLICY) == requests
    assert first_requests(paths, Policy(requests=10)) == 10


@pytest.mark.parametrize("last", [False, True])
def test_a_good_wave_is_promoted(last: bool) -> None:
    result = send(wave(5), last=last)
    assert (result["verdict"], result["measure"], result["revert"]) == ("promote", {}, [])
    assert result["reasons"] == ["5 of 5 clients are fine"]


def test_one_bad_client_is_named_and_its_wave_goes_on() -> None:
    result = send(wave(10, odd=bad()))
    assert (result["verdict"], result["revert"]) == ("promote", ["odd"])
    assert result["reasons"] == ["9 of 10 clients are fine"]
    assert result["hosts"]["odd"]["summary"] == "loses SYNs with data: 5 of 5 late, 0 of 5 without"


@pytest.mark.parametrize(
    ("size", "spoiled", "share"), [(9, 2, 0.1), (20, 3, 0.1), (1, 1, 0.1), (100, 30, 0.29), (2, 2, 1.0)]
)
def test_too_many_bad_clients_roll_the_wave_back(size: int, spoiled: int, share: float) -> None:
    clients = wave(size, **{f"odd{number}": bad() for number in range(spoiled)})
    result = send(clients, policy=Policy(max_reverted_share=share))
    assert result["verdict"] == "roll_back" and len(result["revert"]) == spoiled
    assert result["reasons"][0].startswith(f"{spoiled} of {size} clients are worse (odd0")
    assert ("everybody" in result["reasons"][0]) == (spoiled == size)


@pytest.mark.parametrize(
    ("size", "spoiled", "share"), [(2, 1, 0.1), (10, 1, 0.1), (20, 2, 0.1), (100, 29, 0.29), (2, 1, 0.0)]
)
def test_as_many_as_allowed_do_not(size: int, spoiled: int, share: float) -> None:
    clients = wave(size, **{f"odd{number}": bad() for number in range(spoiled)})
    assert send(clients, policy=Policy(max_reverted_share=share))["verdict"] == "promote"


@pytest.mark.parametrize(("earlier", "verdict"), [((0, 0), "promote"), ((4, 1), "roll_back"), ((30, 1), "promote")])
def test_bad_clients_of_earlier_waves_count(earlier: tuple[int, int], verdict: str) -> None:
    result = send(wave(5, odd0=bad()), earlier=earlier)
    assert (result["verdict"], result["revert"]) == (verdict, ["odd0"])


def test_before_anything_was_measured_all_make_their_first_requests() -> None:
    result = send({}, hosts=["a", "b"], last=False)
    assert (result["verdict"], result["measure"], result["more"]) == ("inconclusive", {"a": 20, "b": 20}, 20)


def test_the_first_look_asks_those_that_are_open() -> None:
    clients = {**wave(6), "open": one(arm(20), fast(20, late=2)), "odd": bad()}
    result = send(clients, last=False)
    assert (result["verdict"], result["measure"]) == ("inconclusive", {"open": 80})
    assert result["reasons"] == ["1 of 8 clients measure 80 more requests of each kind"]
    final = send(clients)
    assert (final["measure"], final["more"]) == ({}, 0) and final["hosts"]["open"]["verdict"] == "inconclusive"


def test_an_open_pool_asks_all_that_are_kept() -> None:
    """Too few clients to exclude that all lose 5 % more."""
    clients = {"a": good(), "b": good(requests=50), "odd": bad(), "gone": Client(trouble="gone")}
    clients |= {f"c{number}": good(requests=100) for number in range(9)}
    assert send(clients, last=False)["measure"] == {}
    few = {name: clients[name] for name in ("a", "b", "odd", "gone")}
    assert send(few, last=False)["measure"] == {}
    alone = {"a": good(), "odd": bad(), "gone": Client(trouble="gone")}
    assert send(alone, last=False)["measure"] == {"a": 80}
    assert send(alone)["measure"] == {}


def test_nobody_is_asked_in_a_wave_that_goes_back() -> None:
    clients = {"a": good(requests=10), "odd": bad(), "odder": bad()}
    assert (send(clients, last=False)["verdict"], send(clients, last=False)["measure"]) == ("roll_back", {})


@pytest.mark.parametrize(
    ("clients", "reason"),
    [
        ({}, "no client to judge"),
        ({"a": Client(trouble="gone")}, "a: its measurement failed: gone"),
        ({"a": one(arm(20), fast(20), trouble="gone later")}, "a: its measurement failed: gone later"),
        ({"a": Client()}, "a: no data"),
        ({"a": one(arm(9, failed=9), fast(9, failed=9))}, "a: none of 9 plain requests was answered"),
        ({"a": good(), "b": Client(), "c": Client(trouble="gone")}, "b: no data"),
    ],
)
def test_no_data_is_never_a_pass(clients: dict[str, Client], reason: str) -> None:
    result = send(clients)
    assert (result["verdict"], result["measure"]) == ("inconclusive", {})
    assert result["reasons"][0].startswith(reason)


def test_one_undecided_client_does_not_stop_the_others() -> None:
    result = send({"a": good(), "b": Client(trouble="gone")}, hosts=["a", "b"])
    assert (result["verdict"], result["reasons"]) == ("promote", ["1 of 2 clients are fine"])
    assert result["hosts"]["b"]["verdict"] == "inconclusive"


def test_who_was_bad_before_its_measurement_failed_is_bad() -> None:
    """Or it would be tried again at every run."""
    result = send(wave(10, odd=one(arm(5), fast(5, 200, late=5), trouble="gone later")))
    assert (result["verdict"], result["revert"]) == ("promote", ["odd"])


def test_who_failed_to_measure_is_not_pooled() -> None:
    result = send({**wave(9), "gone": one(arm(100), fast(100, late=10), trouble="gone")})
    assert result["pooled"]["figures"]["late"]["fast_open"] == [0, 180]


def test_a_host_that_was_never_measured_is_named() -> None:
    result = send({"a": good()}, hosts=["a", "gone", "away"])
    assert result["verdict"] == "inconclusive" and result["reasons"][0].startswith("gone: no data")


def test_a_harm_too_small_for_one_client_shows_in_all_together() -> None:
    """3 of 60 late in each of 20 clients, none of 60 plain ones: each may be chance, all of them are not."""
    clients = {f"c{number}": one(arm(60), fast(60, late=3)) for number in range(20)}
    assert send({"c0": clients["c0"]})["verdict"] == "promote"
    result = send(clients)
    assert (result["verdict"], result["revert"]) == ("roll_back", [])
    assert result["reasons"] == [
        "kept clients: worse together, though no single client is: 60 of 1200 late, 0 of 1200 without"
    ]


def test_what_was_measured_before_the_step_is_not_compared() -> None:
    """Everything is 400 ms slower than before, plain requests as well: a drift is nobody's fault."""
    clients = {name: one(arm(20, 600), fast(20, 500)) for name in ("a", "b", "c", "d", "e", "f")}
    result = send(clients, before=wave(6))
    assert (result["verdict"], result["control"]) == ("promote", {"paths": 0})


def test_a_restarted_server_rolls_back() -> None:
    result = send(wave(5), servers={"ss1": Server({"TCPFastOpenPassive": 50}, restarts=1)})
    assert (result["verdict"], result["revert"]) == ("roll_back", [])
    assert result["reasons"][0].startswith("ss1: its service was restarted 1 times")


def test_coverage_counts_networks_that_were_judged() -> None:
    clients = wave(6, same=good("n0"), none=good(""), nothing=good(""), open=one(arm(20), fast(0), network="open"))
    coverage = send(clients)["coverage"]
    assert (coverage["networks"], coverage["labels"]) == (3, ["", "n0", "n1"])
    assert coverage["detectable_share"] == pytest.approx(1 - 0.05 ** (1 / coverage["networks"]), abs=1e-4)


def test_lines_tell_figures_and_details_tell_odds() -> None:
    result = send(wave(10, odd=bad()), servers={"ss1": Server()})
    shown, details = "\n".join(lines(result)), "\n".join(lines(result, details=True))
    assert "c0: promote: gains 100.0 ms (203.0 → 103.0), 0 of 20 failed" in shown
    assert "odd: revert: loses SYNs with data: 5 of 5 late, 0 of 5 without" in shown and "odds" not in shown
    for finding in [*result["hosts"].values(), *result["servers"].values(), result["pooled"]]:
        assert all(reason in details for reason in finding["reasons"])
    assert "coverage: 10 networks judged; a breakage of 26% of the networks or more" in shown


def test_still_measuring_is_not_called_inconclusive() -> None:
    shown = "\n".join(lines(send({"a": good(), "b": one(arm(20), fast(20, late=2))}, last=False)))
    assert "verdict: measures more" in shown and "a: measures more: gains" in shown
    assert "b: measures more: measures 80 more: late (2 of 20 late, 0 of 20)" in shown
    assert "kept clients: measures more" in shown and "inconclusive" not in shown


def test_connections_are_pooled_like_requests() -> None:
    clients = {f"c{n}": one(seen(arm(100)), seen(fast(100), lost=6, taken=94)) for n in range(10)}
    assert send(clients)["reasons"][0].endswith("60 of 1000 late, 0 of 1000 without")
