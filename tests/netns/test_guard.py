# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard's paired attempts over real packets: what is lost, what is refused, and what one byte does not show."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time

import pytest
from _wire import CLIENT, HERE, OUTAGE, PORT, SERVER, Namespace, Wire, syn_with_data

FINE, AGAINST, OUT = [False, False, False], [False, True, False], [True, True, False]
REFUSED, PAUSED = [False, None, False], [False, None, True]
LONG = [
    f"tcp flags & (syn|ack) == syn {name} length > {extra + 60 + 20} drop" for name, extra in (("ip", 20), ("ip6", 0))
]
"""SYNs with more than 20 bytes of data, whatever options they have."""


def pairs(wire: Wire, family: str, count: int, *proxy: str) -> list[list[bool]]:
    """Their losses, plain and with data, and whether our own kernel sent none."""
    command = (sys.executable, str(HERE / "run_pairs.py"), SERVER[family], str(PORT), str(count), *proxy)
    source, made = json.loads(wire.client.run(*command))
    assert source == CLIENT[family]
    return made


@pytest.mark.parametrize("family", SERVER)
def test_a_path(wire: Wire, family: str) -> None:
    """Good, then one that drops SYNs with data, then a server without TFO, then none at all."""
    wire.listen()
    assert pairs(wire, family, 3) == [REFUSED, FINE, FINE]  # the first one fetches the cookie
    wire.server.rules(*syn_with_data("drop"))
    assert pairs(wire, family, 2) == [AGAINST] * 2
    wire.server.rules()
    wire.server.sysctl(tcp_fastopen=1)
    assert pairs(wire, family, 2) == [REFUSED] * 2
    wire.server.rules(f"tcp dport {PORT} drop")
    assert pairs(wire, family, 4) == [OUT] * 2  # an outage is not tried any longer


@pytest.mark.parametrize("family", SERVER)
def test_pause_of_our_own_kernel(wire: Wire, family: str) -> None:
    """After an outage it sends no SYN data to anybody; the server is not to blame."""
    wire.listen()
    wire.warm()
    wire.client.sysctl(tcp_fastopen_blackhole_timeout_sec=60)
    wire.server.rules("tcp flags & (syn|ack) == syn drop")
    wire.client.run("python3", "-c", OUTAGE, SERVER[family])
    wire.server.rules()
    assert wire.client.counters()["TcpExtTCPFastOpenBlackhole"] == 1
    assert pairs(wire, family, 3) == [PAUSED] * 3
    wire.client.sysctl(tcp_fastopen_blackhole_timeout_sec=60)  # ends the pause
    assert pairs(wire, family, 2) == [FINE] * 2
    wire.server.sysctl(tcp_fastopen=1)
    assert pairs(wire, family, 2) == [REFUSED] * 2  # with a pause behind it


def start(namespace: Namespace, *command: str) -> subprocess.Popen[str]:
    """A program in a namespace."""
    return subprocess.Popen(["ip", "netns", "exec", namespace.name, sys.executable, *command], text=True)


def test_requests_show_what_one_byte_does_not(wire: Wire, tmp_path: pathlib.Path) -> None:
    """A box that drops SYNs with more than a little data lets attempts of one byte pass."""
    config = tmp_path / "config.json"
    settings = {"server": SERVER["ipv4"], "server_port": PORT, "local_address": "127.0.0.1", "local_port": 1080}
    config.write_text(json.dumps(settings))
    programs = [
        start(wire.server, str(HERE / "answerer.py"), str(PORT)),
        start(wire.client, str(HERE / "ss_local.py"), "-c", str(config), "--fast-open"),
    ]
    try:
        time.sleep(1)
        assert pairs(wire, "ipv4", 3, "1080") == [FINE] * 3
        wire.server.rules(*LONG)
        assert pairs(wire, "ipv4", 3, "1080") == [AGAINST] * 3
        assert pairs(wire, "ipv4", 3) == [FINE] * 3
        programs[1].terminate()
        programs[1].wait()
        assert pairs(wire, "ipv4", 3, "1080") == [FINE] * 3  # nothing is seen of a client that is gone
    finally:
        for program in programs:
            program.terminate()
            program.wait()
