# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts from attempts, as pure data."""

from __future__ import annotations

import errno
import pathlib
import socket

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path._attempt import Attempt


def plain(ms: float = 50.0) -> Attempt:
    return Attempt("plain", True, 2 * ms, ms, None)


def fast(fail: int = 0, ms: float = 50.0, retransmits: int = 0, syn_data: bool = False) -> Attempt:
    return Attempt("fast_open", True, ms, ms, None, syn_data, fail, retransmits)


def failed(kind: str = "fast_open", number: int = errno.ETIMEDOUT) -> Attempt:
    return Attempt(kind, False, None, None, number)


OK = fast(syn_data=True)
COOKIE = fast(1)  # a cookie was asked for, or none was given
REFUSED = fast(2, retransmits=1)
LOST = fast(3, ms=1050.0, retransmits=1)
OPTION_LOST = fast(1, ms=1050.0, retransmits=1)
NOTHING = fast(0)


@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [
        ([COOKIE, OK, OK, OK], "fast_open"),
        ([OK], "fast_open"),
        ([COOKIE, COOKIE, OK, OK], "fast_open"),  # by the experimental option
        ([REFUSED, OK, OK, OK], "fast_open"),  # the cookie had gone stale
        ([COOKIE, OK, OK, LOST], "fast_open"),  # one loss is the network's
        ([COOKIE, OK, LOST], "fast_open"),
        ([COOKIE, OK, LOST, REFUSED], "data_refused"),
        ([COOKIE, COOKIE, COOKIE, COOKIE], "no_cookie"),
        ([REFUSED, REFUSED, REFUSED, REFUSED], "data_refused"),
        ([COOKIE, LOST, LOST, LOST], "syn_dropped"),
        ([COOKIE, OK, LOST, LOST], "syn_dropped"),
        ([OPTION_LOST, OPTION_LOST, OPTION_LOST, OPTION_LOST], "syn_dropped"),
        ([COOKIE, failed(), failed(), failed()], "syn_dropped"),
        ([failed(number=errno.ECONNREFUSED)] * 4, "syn_dropped"),
        ([failed(number=errno.EOPNOTSUPP)], "client_off"),
        ([NOTHING] * 4, "paused"),
        ([fast(0, retransmits=1)] * 4, "data_refused"),  # before Linux 5.5: no reasons
        ([fast(0, ms=1050.0, retransmits=1)] * 4, "syn_dropped"),
    ],
)
def test_classify(attempts: list[Attempt], verdict: str) -> None:
    mixed = [attempt for fast_open in attempts for attempt in (plain(), fast_open)]
    assert _path.classify(mixed) == verdict


def test_classify_without_reasons_and_without_a_pause() -> None:
    assert _path.classify([plain(), NOTHING, plain(), NOTHING], pausable=False) == "no_cookie"


@pytest.mark.parametrize("attempts", [[], [failed("plain")], [plain()], [failed("plain"), failed()], [failed()]])
def test_classify_unreachable(attempts: list[Attempt]) -> None:
    assert _path.classify(attempts) == "unreachable"


@pytest.mark.parametrize(
    ("timeout", "fired", "pausable"), [("0", 1, False), ("60", 0, False), ("60", 1, True), (None, 1, False)]
)
def test_pausable(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, timeout: str | None, fired: int, pausable: bool
) -> None:
    monkeypatch.setattr(_counters, "read", lambda proc: {"TCPFastOpenBlackhole": fired})
    if timeout is not None:
        path = pathlib.Path(_proc.sysctl_path(_proc.BLACKHOLE_TIMEOUT, str(tmp_path)))
        path.parent.mkdir(parents=True)
        path.write_text(timeout)
    assert _path.pausable(str(tmp_path)) is pausable


class Network:
    """Answers attempts from a script: {address: (plain, fast opens…)}; the last fast open repeats."""

    def __init__(self, script: dict[str, tuple[Attempt, ...]]) -> None:
        self.script = script
        self.calls: list[tuple[str, str, int, float]] = []

    def plain(self, address: str, port: int, timeout: float) -> Attempt:
        self.calls.append(("plain", address, port, timeout))
        return self.script[address][0]

    def fast_open(self, address: str, port: int, timeout: float) -> Attempt:
        self.calls.append(("fast_open", address, port, timeout))
        made = sum(call[0] == "fast_open" for call in self.calls)
        return self.script[address][1:][min(made, len(self.script[address]) - 1) - 1]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    found = Network({})
    monkeypatch.setattr(_attempt, "plain", found.plain)
    monkeypatch.setattr(_attempt, "fast_open", found.fast_open)
    return found


def test_probe_takes_turns_and_tells_the_cost(network: Network) -> None:
    network.script = {"192.0.2.1": (plain(50.0), COOKIE, LOST)}
    path = _path.probe("192.0.2.1", 8388, attempts=3, timeout=2.5)
    assert network.calls == [(kind, "192.0.2.1", 8388, 2.5) for kind in ("plain", "fast_open")] * 3
    assert {
        name: path[name] for name in ("host", "port", "address", "verdict", "plain_ms", "fast_open_ms", "extra_ms")
    } == {
        "host": "192.0.2.1",
        "port": 8388,
        "address": "192.0.2.1",
        "verdict": "syn_dropped",
        "plain_ms": 100.0,
        "fast_open_ms": 1050.0,
        "extra_ms": 950.0,
    }
    assert [attempt["client_fail"] for attempt in path["attempts"]] == [0, 1, 0, 3, 0, 3]


def test_probe_stops_where_the_client_is_off(network: Network) -> None:
    network.script = {"192.0.2.1": (plain(), failed(number=errno.EOPNOTSUPP))}
    path = _path.probe("192.0.2.1", 8388)
    assert (path["verdict"], len(path["attempts"]), path["extra_ms"]) == ("client_off", 2, None)


def test_probe_takes_the_address_that_answers(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolve(*query: object) -> list:
        asked.append(query)
        return [(0, 0, 0, "", (address, 80)) for address in ("2001:db8::1", "192.0.2.1")]

    monkeypatch.setattr(_path.socket, "getaddrinfo", resolve)
    network.script = {"2001:db8::1": (failed("plain"),), "192.0.2.1": (plain(), OK)}
    path = _path.probe("example.org", 80, family=socket.AF_INET)
    assert (path["address"], path["verdict"], len(path["attempts"])) == ("192.0.2.1", "fast_open", 8)
    assert asked == [("example.org", 80, socket.AF_INET, socket.SOCK_STREAM)]


@pytest.mark.parametrize(("ipv6_first", "address"), [(False, "192.0.2.1"), (True, "2001:db8::1")])
def test_probe_of_a_name_with_both(
    network: Network, monkeypatch: pytest.MonkeyPatch, ipv6_first: bool, address: str
) -> None:
    """The path that a client takes, whichever getaddrinfo(3) has first."""
    both = {"2001:db8::1": socket.AF_INET6, "192.0.2.1": socket.AF_INET}
    found = [(family, 0, 0, "", (name, 80)) for name, family in both.items()]
    monkeypatch.setattr(_path.socket, "getaddrinfo", lambda *_query: found)
    network.script = {name: (plain(), OK) for name in both}
    assert _path.probe("example.org", 80, ipv6_first=ipv6_first)["address"] == address


def test_probe_of_a_name_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_query: object) -> list:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(_path.socket, "getaddrinfo", resolve)
    path = _path.probe("nowhere.invalid", 80)
    assert (path["verdict"], path["address"], path["attempts"]) == ("unreachable", None, [])
    assert path["error"] == "the name does not resolve: Name or service not known"
