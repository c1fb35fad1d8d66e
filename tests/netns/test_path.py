# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tfo_path against every way in which a server, a client or a box between them treats TCP Fast Open."""

from __future__ import annotations

import time

import pytest
from _wire import EXPERIMENTAL, FAST_OPEN, OTHER_CLIENT, OUTAGE, PORT, SERVER, Wire, strip, syn_with_data

BOTH = ("ipv4", "ipv6")
LOST_SYN_MS = pytest.approx(1000, abs=150)


def both(verdict: str) -> dict[str, str]:
    return dict.fromkeys(BOTH, verdict)


def test_both_bits_on(wire: Wire) -> None:
    wire.listen()
    paths = wire.probe()
    for family in BOTH:
        path = paths[family]
        assert path["verdict"] == "fast_open"
        assert path["address"] == SERVER[family]
        assert path["extra_ms"] == pytest.approx(0, abs=20)
        assert [attempt["kind"] for attempt in path["attempts"]] == ["plain", "fast_open"] * 4
        assert [attempt["syn_data"] for attempt in path["attempts"]] == [False] * 3 + [True, False] * 2 + [True]
    assert wire.client.counters()["TcpExtTCPFastOpenActive"] == 6
    assert wire.server.counters()["TcpExtTCPFastOpenPassive"] == 6
    assert wire.server.counters()["TcpExtTCPFastOpenCookieReqd"] == 2


def test_server_without_its_bit(wire: Wire) -> None:
    wire.server.sysctl(tcp_fastopen=1)
    wire.listen()
    assert wire.verdicts() == both("no_cookie")


def test_server_loses_and_regains_its_bit_while_the_cookie_is_held(wire: Wire) -> None:
    wire.listen()
    wire.warm()
    wire.server.sysctl(tcp_fastopen=1)
    paths = wire.probe()
    assert {family: path["verdict"] for family, path in paths.items()} == both("data_refused")
    assert max(path["extra_ms"] for path in paths.values()) < 100
    wire.server.sysctl(tcp_fastopen=3)
    assert wire.verdicts() == both("fast_open")


@pytest.mark.parametrize("value", [0, 2, 4, 1026])
def test_client_without_its_bit(wire: Wire, value: int) -> None:
    wire.listen()
    wire.client.sysctl(tcp_fastopen=value)
    paths = wire.probe()
    assert {family: path["verdict"] for family, path in paths.items()} == both("client_off")
    assert [attempt["error"] for attempt in paths["ipv4"]["attempts"]] == [None, "ENOTSUP: Operation not supported"]


def test_listener_that_did_not_ask(wire: Wire) -> None:
    wire.listen(queue=0)
    assert wire.verdicts() == both("no_cookie")


def test_all_listeners_acts_when_listening_starts(wire: Wire) -> None:
    wire.listen(queue=0)
    wire.server.sysctl(tcp_fastopen=0x403)
    wire.listen(queue=0, port=PORT + 1)
    assert wire.verdicts() == both("no_cookie")
    assert wire.verdicts(PORT + 1) == both("fast_open")


def test_box_strips_the_option(wire: Wire) -> None:
    wire.listen()
    wire.server.rules(*strip(FAST_OPEN))
    assert wire.verdicts() == both("fast_open")  # by the experimental option
    assert wire.client.counters()["TcpExtTCPFastOpenActive"] == 4


def test_box_strips_both_options(wire: Wire) -> None:
    wire.listen()
    wire.server.rules(*strip(FAST_OPEN, EXPERIMENTAL))
    assert wire.verdicts() == both("no_cookie")


def test_box_strips_the_option_while_the_cookie_is_held(wire: Wire) -> None:
    wire.listen()
    wire.warm()
    wire.server.rules(*strip(FAST_OPEN, EXPERIMENTAL))
    assert wire.verdicts() == both("data_refused")


def test_box_drops_syn_data(wire: Wire) -> None:
    wire.listen()
    wire.server.rules(*syn_with_data("drop"))
    for path in wire.probe().values():
        assert path["verdict"] == "syn_dropped"
        assert path["extra_ms"] == LOST_SYN_MS
        assert [attempt["client_fail"] for attempt in path["attempts"][1::2]] == [1, 3, 3, 3]


@pytest.mark.parametrize("held", [False, True])
def test_box_drops_the_option(wire: Wire, held: bool) -> None:
    wire.listen()
    if held:
        wire.warm()
    wire.server.rules("tcp option fastopen exists drop")
    for path in wire.probe().values():
        assert path["verdict"] == "syn_dropped"
        assert path["extra_ms"] == LOST_SYN_MS
        assert [attempt["client_fail"] for attempt in path["attempts"][1::2]] == [3 if held else 1] * 4


def test_box_resets_syn_data(wire: Wire) -> None:
    wire.listen()
    wire.server.rules(*syn_with_data("reject with tcp reset"))
    assert wire.verdicts() == both("syn_dropped")


def test_server_with_syn_cookies_always(wire: Wire) -> None:
    wire.listen()
    wire.server.sysctl(tcp_syncookies=2)
    assert wire.verdicts() == both("no_cookie")
    wire.server.sysctl(tcp_syncookies=1)
    wire.warm()
    wire.server.sysctl(tcp_syncookies=2)
    assert wire.verdicts() == both("data_refused")


def test_blackhole_detection_pauses(wire: Wire) -> None:
    wire.listen()
    wire.warm()
    wire.client.sysctl(tcp_fastopen_blackhole_timeout_sec=60)
    wire.server.rules("tcp flags & (syn|ack) == syn drop")
    wire.client.run("python3", "-c", OUTAGE, SERVER["ipv4"])
    wire.server.rules()
    assert wire.client.counters()["TcpExtTCPFastOpenBlackhole"] == 1
    assert wire.verdicts() == both("paused")
    probed = wire.client.module("tfo_probe")["fastopen"]
    assert probed["loopback"] == both("paused")
    assert "paused" in [problem["code"] for problem in probed["problems"]]
    wire.client.sysctl(tcp_fastopen_blackhole_timeout_sec=60)  # ends the pause
    assert wire.verdicts() == both("fast_open")


def test_queue_of_the_listener_is_full(wire: Wire) -> None:
    wire.listen(queue=2)
    wire.warm()
    for _use in ("fetch the cookie", "send data"):
        for family in BOTH:
            wire.client.run("python3", "-c", _FAST_OPEN_FROM, OTHER_CLIENT[family], SERVER[family])
        # From now on the other client's handshakes never end, so that each of them keeps its place.
        wire.server.rules(
            f"ip saddr {OTHER_CLIENT['ipv4']} tcp flags & syn == 0 drop",
            f"ip6 saddr {OTHER_CLIENT['ipv6']} tcp flags & syn == 0 drop",
        )
    assert wire.verdicts() == both("data_refused")
    assert wire.server.counters()["TcpExtTCPFastOpenListenOverflow"] > 0


def test_key_replaced(wire: Wire) -> None:
    wire.server.sysctl(tcp_fastopen_key="1-2-3-4")
    wire.listen()
    wire.warm()
    wire.server.sysctl(tcp_fastopen_key="5-6-7-8")
    paths = wire.probe()
    assert {family: path["verdict"] for family, path in paths.items()} == both("fast_open")
    assert [attempt["client_fail"] for attempt in paths["ipv4"]["attempts"][1::2]] == [2, 0, 0, 0]


def test_port_refuses(wire: Wire) -> None:
    paths = wire.probe()
    assert {family: path["verdict"] for family, path in paths.items()} == both("unreachable")
    assert paths["ipv4"]["attempts"][0]["error"] == "ECONNREFUSED: Connection refused"


def test_host_does_not_answer(wire: Wire) -> None:
    wire.listen()
    wire.server.rules("tcp flags & (syn|ack) == syn drop")
    start = time.monotonic()
    paths = wire.probe(timeout_seconds=1.5)
    assert {family: path["verdict"] for family, path in paths.items()} == both("unreachable")
    assert [len(path["attempts"]) for path in paths.values()] == [1, 1]
    assert time.monotonic() - start < 4


def test_box_lets_nothing_through_but_the_handshake(wire: Wire) -> None:
    wire.listen()
    wire.server.rules("tcp flags & syn == 0 drop")
    paths = wire.probe(timeout_seconds=1.0)
    assert {family: path["verdict"] for family, path in paths.items()} == both("unreachable")


def test_name_leads_to_the_address_that_answers(wire: Wire) -> None:
    wire.listen(queue=16)
    [path] = wire.server.module("tfo_path", targets=[{"host": "localhost", "port": PORT}], family="ipv4")["paths"]
    assert (path["verdict"], path["address"]) == ("fast_open", "127.0.0.1")


_FAST_OPEN_FROM = """
import socket, sys
own, peer = sys.argv[1:]
sock = socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET)
sock.bind((own, 0))
sock.sendto(b"x", 0x20000000, (peer, 8388))
"""
