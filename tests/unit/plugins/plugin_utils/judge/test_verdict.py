# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._lines import lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Arm, Client, Server
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._verdict import judge

POLICY = Policy()


def arm(requests: int, base: float, late: int = 0, failed: int = 0) -> Arm:
    times = [base + index % 5 for index in range(requests - failed)]
    for index in range(late):
        times[index] += 1000
    return Arm(len(times), failed, times, {"TCPFastOpenActive": requests - late, "TCPFastOpenActiveFail": late})


def good(network: str = "a", requests: int = 15) -> Client:
    return Client(arm(requests, 200), arm(requests, 100), network=network)


def bad() -> Client:
    return Client(arm(5, 200), arm(5, 200, late=5), network="bad")


def plain(base: float = 200, failed: int = 0) -> Client:
    """What was measured of plain TCP only."""
    return Client(plain=arm(30, base, failed=failed))


def wave(size: int, **others: Client) -> dict[str, Client]:
    return {**{f"c{number}": good(f"n{number}") for number in range(size - len(others))}, **others}


def send(clients: dict[str, Client], **more: Any) -> dict[str, Any]:
    """Judge all these clients as a wave, unless ``hosts`` says otherwise; the result must be JSON as it stands."""
    hosts = more.pop("hosts", list(clients))
    result = judge("send", hosts, clients, more.pop("before", {}), more.pop("servers", {}), more.pop("policy", POLICY))
    assert not more
    json.dumps(result, allow_nan=False)
    return result


def test_a_good_wave_is_promoted() -> None:
    result = send(wave(5))
    assert (result["verdict"], result["measure"], result["revert"]) == ("promote", {}, [])
    assert result["reasons"] == ["5 of 5 clients are fine"]


def test_one_bad_client_is_named_and_its_wave_goes_on() -> None:
    result = send(wave(10, odd=bad()))
    assert (result["verdict"], result["revert"]) == ("promote", ["odd"])
    assert result["hosts"]["odd"]["verdict"] == "revert"


@pytest.mark.parametrize(
    ("size", "spoiled", "share"), [(9, 2, 0.1), (20, 3, 0.1), (1, 1, 0.1), (100, 30, 0.29), (2, 2, 1.0)]
)
def test_too_many_bad_clients_roll_the_wave_back(size: int, spoiled: int, share: float) -> None:
    clients = wave(size, **{f"odd{number}": bad() for number in range(spoiled)})
    result = send(clients, policy=Policy(max_reverted_share=share))
    assert result["verdict"] == "roll_back" and len(result["revert"]) == spoiled
    assert result["reasons"][0].startswith(f"{spoiled} of {size} clients are worse (odd0")


@pytest.mark.parametrize(
    ("size", "spoiled", "share"), [(2, 1, 0.1), (10, 1, 0.1), (20, 2, 0.1), (100, 29, 0.29), (2, 1, 0.0)]
)
def test_as_many_as_allowed_do_not(size: int, spoiled: int, share: float) -> None:
    clients = wave(size, **{f"odd{number}": bad() for number in range(spoiled)})
    assert send(clients, policy=Policy(max_reverted_share=share))["verdict"] == "promote"


@pytest.mark.parametrize(("earlier", "verdict"), [((0, 0), "promote"), ((4, 1), "roll_back"), ((30, 1), "promote")])
def test_bad_clients_of_earlier_waves_count(earlier: tuple[int, int], verdict: str) -> None:
    clients = wave(5, odd0=bad())
    result = judge("send", list(clients), clients, {}, {}, Policy(), earlier)
    assert (result["verdict"], result["revert"]) == (verdict, ["odd0"])


def test_first_all_are_measured_then_those_that_are_open() -> None:
    result = send({}, hosts=["a", "b"])
    assert (result["verdict"], result["measure"], result["more"]) == ("inconclusive", {"a": 5, "b": 5}, 5)
    result = send({"a": good(), "b": good(requests=5)})
    assert (result["verdict"], result["measure"], result["more"]) == ("inconclusive", {"b": 10}, 10)
    assert result["reasons"] == ["b: wants 10 more requests: failed or late, failed"]


@pytest.mark.parametrize(
    ("clients", "reason"),
    [
        ({}, "no client to judge"),
        ({"a": Client(trouble="gone")}, "a: its measurement failed: gone"),
        ({"a": good(), "b": Client(trouble="gone")}, "b: its measurement failed: gone"),
        (
            {"a": good(), "b": Client(arm(15, 200), arm(15, 100), trouble="gone later")},
            "b: its measurement failed: gone later",
        ),
        ({"a": good(), "b": Client()}, "b: no data"),
        ({"a": Client(arm(9, 200, failed=9), arm(9, 100, failed=9))}, "a: none of 9 requests of the kind 'plain'"),
    ],
)
def test_no_data_is_never_a_pass_and_ends_the_measuring(clients: dict[str, Client], reason: str) -> None:
    result = send(clients)
    assert (result["verdict"], result["measure"]) == ("inconclusive", {})
    assert result["reasons"][0].startswith(reason)


def test_a_host_that_was_never_measured_is_named() -> None:
    result = send({"a": good()}, hosts=["a", "gone"])
    assert result["verdict"] == "inconclusive" and result["reasons"][0].startswith("gone: no data")


def test_a_harm_too_small_for_one_client_shows_in_all_together() -> None:
    """3 of 60 late in each of 20 clients, none of 60 plain ones: each may be chance, all of them are not."""
    clients = {f"c{number}": Client(arm(60, 200), arm(60, 100, late=3)) for number in range(20)}
    assert send({"c0": clients["c0"]})["verdict"] == "promote"
    result = send(clients)
    assert (result["verdict"], result["revert"]) == ("roll_back", [])
    assert result["reasons"] == ["kept clients: worse together, though no single client is"]


def test_errors_above_the_limit_that_may_be_chance_are_measured_again() -> None:
    clients = wave(4, odd=Client(arm(30, 200), arm(30, 100, failed=1)))
    result = send(clients)
    assert result["verdict"] == "inconclusive" and "1.3% more requests fail" in result["reasons"][0]
    assert result["measure"] == {name: 5 for name in clients}
    used_up = {name: good(requests=100) for name in ("a", "b")}
    used_up["odd"] = Client(arm(100, 200), arm(100, 100, failed=4))
    assert send(used_up)["verdict"] == "inconclusive" and send(used_up)["measure"] == {}


@pytest.mark.parametrize(
    ("server", "verdict", "reason"),
    [
        (Server({"TCPFastOpenPassive": 50, "TCPFastOpenListenOverflow": 3}), "promote", "3 of 3"),
        (Server({}), "promote", "3 of 3"),
        (Server({"TCPFastOpenPassive": 50}, restarts=1), "roll_back", "ss1: its service was restarted 1 times"),
        (Server({"TCPFastOpenPassive": 5, "TCPFastOpenListenOverflow": 95}), "roll_back", "ss1: SYN data taken"),
        (Server({"TCPFastOpenPassive": 1, "TCPFastOpenPassiveFail": 90000}), "roll_back", "ss1: SYN data taken"),
        (Server({"TCPFastOpenPassive": 2, "TCPFastOpenPassiveFail": 3}), "inconclusive", "ss1: SYN data taken"),
    ],
)
def test_servers(server: Server, verdict: str, reason: str) -> None:
    result = send(wave(3), servers={"ss1": server})
    assert result["verdict"] == verdict and result["reasons"][0].startswith(reason)
    assert result["measure"] == ({"c0": 5, "c1": 5, "c2": 5} if verdict == "inconclusive" else {})


def test_plain_traffic_worse_than_before_the_step_reverts() -> None:
    clients = wave(10, odd=Client(arm(30, 200, late=20), arm(30, 200, late=20)))
    result = send(clients, before={name: plain() for name in clients})
    assert result["hosts"]["odd"]["verdict"] == "revert" and result["revert"] == ["odd"]
    assert result["hosts"]["odd"]["reasons"][0] == "its plain traffic is worse than before the step"


def test_not_when_clients_outside_the_wave_suffer_as_well() -> None:
    clients = {"a": Client(arm(30, 200, failed=20), arm(30, 100, failed=20)), "out": plain(failed=20)}
    before = {"a": plain(), "out": plain()}
    result = send(clients, hosts=["a"], before=before)
    assert (result["verdict"], result["revert"]) == ("inconclusive", [])
    assert result["control"] == {"clients": 1, "suffering": ["out"]}
    assert any("outside the wave" in reason for reason in result["reasons"])
    result = send({**clients, "out": plain()}, hosts=["a"], before=before)
    assert (result["verdict"], result["revert"]) == ("roll_back", ["a"])


def accept(now: dict[str, Client], before: dict[str, Client], hosts: list[str]) -> dict[str, Any]:
    return judge("accept", hosts, now, before, {"ss1": Server()}, POLICY)


def test_servers_are_judged_by_the_plain_traffic_of_their_clients() -> None:
    before = {"a": plain(), "b": plain(), "out": plain()}
    assert accept({"a": plain(), "b": plain()}, before, ["a", "b"])["verdict"] == "promote"
    result = accept({"a": plain(), "b": plain(failed=15)}, before, ["a", "b"])
    assert (result["verdict"], result["revert"]) == ("roll_back", [])
    result = accept({"a": plain(), "b": plain(failed=15), "out": plain(failed=15)}, before, ["a", "b"])
    assert result["verdict"] == "inconclusive" and "outside the wave" in result["reasons"][0]
    assert accept({"a": plain()}, {}, ["a"])["verdict"] == "inconclusive"


def test_coverage_counts_networks_that_were_judged() -> None:
    clients = wave(6, same=good("n0"), none=good(""), nothing=good(""), open=good("open", 5))
    coverage = send(clients)["coverage"]
    assert (coverage["networks"], coverage["labels"]) == (3, ["", "n0", "n1"])
    assert coverage["detectable_share"] == pytest.approx(1 - 0.05 ** (1 / coverage["networks"]), abs=1e-4)


def test_every_reason_is_printed_at_the_end_and_summaries_on_the_way() -> None:
    result = send(wave(10, odd=bad()), servers={"ss1": Server()})
    shown = "\n".join(lines(result))
    for finding in [*result["hosts"].values(), *result["servers"].values(), result["pooled"]]:
        assert all(reason in shown for reason in finding["reasons"])
    assert "coverage: 10 networks judged; a breakage of 26% of the networks or more" in shown
    underway = send({"a": good(requests=5)})
    assert len(lines(underway)) < 6 and "a: inconclusive: wants 10 more requests" in "\n".join(lines(underway))
