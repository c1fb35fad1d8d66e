# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of box does to real packets what it says, over IPv4 and IPv6, and nothing to the neighbour.

Needs a running demo fleet (`fleet up`). Client c4 talks to a throw-away listener on the origin; c3 is the neighbour.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

FLEET = Path(__file__).parent / "fleet"
RTT = 50.0
SLACK = 40.0  # ms that a busy machine and the timers of a retransmission may add
ADDRESSES = {"ipv4": "10.203.2.5", "ipv6": "fd00:203:2::5"}
PORT = 7413
SERVER = f"""
import socket, threading
def serve(c):
    with c:
        c.sendall(str(len(c.recv(65536))).encode().ljust(8))
listener = socket.create_server(("::", {PORT}), family=socket.AF_INET6, backlog=100, dualstack_ipv6=True)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 100)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
"""
# one line of JSON: for each size in argv, milliseconds to the answer, SYN_DATA acknowledged, client_fail (struct tcp_info)
CLIENT = """
import json, socket, sys, time
address, port, fast, sizes = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "fast", map(int, sys.argv[4:])
results = []
for size in sizes:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        s.settimeout(5)
        start = time.monotonic()
        try:
            if fast:
                s.setsockopt(socket.IPPROTO_TCP, 30, 1)
            s.connect((address, port))
            s.sendall(b"x" * size)
            answer = s.recv(8)
        except TimeoutError:
            results.append({"ms": None})
            continue
        ms = (time.monotonic() - start) * 1000
        info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
        results.append({"ms": ms, "got": int(answer), "syn_data": bool(info[5] & 32), "fail": info[7] >> 1 & 3})
print(json.dumps(results))
"""


def fleet(*arguments: str) -> str:
    return subprocess.run([FLEET, *arguments], check=True, capture_output=True, text=True).stdout


def talk(family: str, *sizes: int, fast: bool = True, client: str = "c4") -> list[dict]:
    words = ["fast" if fast else "plain", *map(str, sizes)]
    return json.loads(fleet("exec", client, "python3", "-c", CLIENT, ADDRESSES[family], str(PORT), *words))


def box(*words: str) -> None:
    fleet("box", "c4", *words)
    time.sleep(0.3)  # the router looks at its orders every 0.1 s


def takes(result: dict, milliseconds: float) -> bool:
    return result["ms"] is not None and milliseconds - 1 <= result["ms"] <= milliseconds + SLACK


@pytest.fixture(scope="module", autouse=True)
def listener() -> Iterator[None]:
    stop = "systemctl stop fleet-listener 2>/dev/null; sysctl -qw net.ipv4.tcp_fastopen=1"
    fleet("exec", "origin", "sh", "-c", stop)
    fleet("exec", "origin", "sysctl", "-qw", "net.ipv4.tcp_fastopen=3")
    fleet("exec", "origin", "systemd-run", "--quiet", "--collect", "--unit=fleet-listener", "python3", "-c", SERVER)
    yield
    fleet("exec", "origin", "sh", "-c", stop)


@pytest.fixture(params=ADDRESSES)
def family(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address family; c4 starts without boxes and without cookies."""
    box("off")
    fleet("exec", "c4", "ip", "tcp_metrics", "flush")
    yield request.param
    box("off")


def test_honest_network(family: str) -> None:
    first, second = talk(family, 100, 100)
    assert takes(first, 2 * RTT)
    assert first["fail"] == 1
    assert takes(second, RTT)
    assert second["syn_data"]
    assert takes(talk(family, 100, fast=False)[0], 2 * RTT)


def test_delay(family: str) -> None:
    box("delay", "100")
    assert takes(talk(family, 100, fast=False)[0], 2 * (RTT + 100))
    assert takes(talk(family, 100, fast=False, client="c3")[0], 2 * RTT)


def test_loss(family: str) -> None:
    box("loss", "100")
    assert talk(family, 100, fast=False) == [{"ms": None}]
    assert takes(talk(family, 100, fast=False, client="c3")[0], 2 * RTT)


@pytest.mark.parametrize("words", [("drop-data",), ("lose-fast", "100")])
def test_syn_data_lost(family: str, words: tuple[str, ...]) -> None:
    box(*words)
    first, second = talk(family, 100, 100)
    assert takes(first, 2 * RTT)
    assert takes(second, 1000 + 2 * RTT)
    assert second["fail"] == 3
    assert takes(talk(family, 100, fast=False)[0], 2 * RTT)


def test_large_syn_data_lost(family: str) -> None:
    box("drop-data-over", "100")
    _first, small, large = talk(family, 100, 100, 101)
    assert takes(small, RTT)
    assert small["syn_data"]
    assert takes(large, 1000 + 2 * RTT)
    assert large["fail"] == 3


def test_option_lost(family: str) -> None:
    box("drop-option")
    assert [takes(result, 1000 + 2 * RTT) for result in talk(family, 100, 100, 100)] == [True] * 3
    assert takes(talk(family, 100, fast=False)[0], 2 * RTT)


def test_option_stripped(family: str) -> None:
    box("strip")
    results = talk(family, 100, 100, 100, 100)
    assert [takes(result, 2 * RTT) for result in results] == [True] * 4
    assert {result["fail"] for result in results} == {1}


def test_option_stripped_with_cookie_held(family: str) -> None:
    talk(family, 100)
    box("strip")
    (result,) = talk(family, 100)
    assert takes(result, 2 * RTT)
    assert result["fail"] == 2


def test_synproxy(family: str) -> None:
    box("synproxy")
    results = talk(family, 100, 100, 1000)
    assert [result["got"] for result in results] == [100, 100, 1000]
    assert not any(result["syn_data"] for result in results)
    assert [takes(result, 3 * RTT) for result in results] == [
        True
    ] * 3  # one more round trip: it opens no window before


def test_later(family: str) -> None:
    fleet("box", "c4", "drop-data", "--after", "5")
    assert re.search(r"^c4 drop-data \(in \d s\)$", fleet("box", "c4"), re.M)
    assert talk(family, 100, 100)[1]["syn_data"]
    time.sleep(5)
    assert takes(talk(family, 100)[0], 1000 + 2 * RTT)


def test_syn_arrives_unmodified(family: str) -> None:
    """The server sees the client's own address, the data in the SYN, and a right checksum."""
    talk(family, 100)
    capture = "timeout 8 tcpdump -i data -c 1 -nvvl tcp dst port 7413 2>/dev/null & sleep 2; wait"
    if family == "ipv6":
        capture = capture.replace("tcp dst port", "ip6 and tcp dst port")
    with subprocess.Popen([FLEET, "exec", "origin", "sh", "-c", capture], stdout=subprocess.PIPE, text=True) as process:
        time.sleep(2)
        talk(family, 321)
        seen = process.communicate()[0]
    assert {"ipv4": "10.203.1.24", "ipv6": "fd00:203:1::24"}[family] in seen
    assert re.search(r"Flags \[S\], cksum 0x\w+ \(correct\).*tfo +cookie \w+.*length 321", seen, re.DOTALL), seen
