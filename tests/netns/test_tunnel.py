# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tfo_tunnel over real paths: what it says of each request's own connection, and of each path by itself."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from _wire import HERE, PORT, SERVER, Namespace, Wire, syn_with_data

LOST_SYN_MS = 1000
SYSTEM_PYTHON = "#!/usr/bin/python3 -IS"  # nobody may start it, wherever the tests' own is
ARMS = ("plain", "fast_open")
FAR = {"ipv4": ("198.51.100.1", "198.51.100.2"), "ipv6": ("fd00:3::1", "fd00:3::2")}


@pytest.fixture
def start() -> Iterator[Callable[..., None]]:
    """Start programs in namespaces, each of which says when it is ready."""
    with contextlib.ExitStack() as stack:

        def started(namespace: Namespace, program: str, *arguments: str) -> None:
            command = ["ip", "netns", "exec", namespace.name, sys.executable, str(HERE / program), *arguments]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout is not None and process.stdout.readline() == "ready\n"

        yield started


@pytest.fixture
def measure(wire: Wire, start: Callable[..., None], tmp_path: pathlib.Path) -> Callable[..., dict]:
    """Run the module over one instance a family. Each gets ``requests`` of each kind."""
    start(wire.server, "answerer.py", str(PORT))
    program = tmp_path / "ss-local"
    text = (HERE / "ss_local.py").read_text(encoding="utf-8")
    program.write_text(f"{SYSTEM_PYTHON}\n{text}", encoding="utf-8")
    program.chmod(0o755)

    def run(requests: int, addresses: dict[str, str] | None = None, **options: object) -> dict:
        common = {"program": "ss-local", "server_port": PORT, "method": "aes-256-gcm", "mode": "tcp_only"}
        services = [
            {**common, "name": family, "instance": family, "server": [address], "server_host": f"ss-{family}"}
            for family, address in (addresses or SERVER).items()
        ]
        arguments = {"services": services, "url": "http://origin.example/", "requests": requests * len(services)}
        answer = wire.client.run(
            sys.executable, "-c", _MODULE, str(HERE), str(tmp_path), json.dumps({**arguments, **options})
        )
        return json.loads(answer)

    return run


def opened(answer: dict, arm: str) -> dict[str, list[tuple[bool, int]]]:
    """Of each connection by path: whether its SYN data was acknowledged, and what was lost."""
    return {
        path["name"]: [(one["syn_data"], one["lost"]) for one in path[arm]["connections"]] for path in answer["paths"]
    }


def all_of(count: int, syn_data: bool, lost: int) -> dict[str, list[tuple[bool, int]]]:
    return {family: [(syn_data, lost)] * count for family in SERVER}


def test_syn_data_accepted(wire: Wire, measure: Callable[..., dict]) -> None:
    answer = measure(3)
    assert opened(answer, "plain") == all_of(3, False, 0)
    assert opened(answer, "fast_open") == all_of(3, True, 0)
    assert [(path["name"], path["server"]) for path in answer["paths"]] == [("ipv4", "ss-ipv4"), ("ipv6", "ss-ipv6")]
    for arm in ARMS:
        assert (answer[arm]["ok"], answer[arm]["failed"], answer[arm]["errors"]) == (6, 0, [])
        assert answer[arm]["connections"] == [one for path in answer["paths"] for one in path[arm]["connections"]]
        assert all(0 < one["rtt_ms"] < 50 for one in answer[arm]["connections"])
    assert answer["counters"]["TCPFastOpenActive"] == 6
    assert [path["fast_open"]["counters"]["TCPFastOpenActive"] for path in answer["paths"]] == [3, 3]


def test_no_cookie(wire: Wire, measure: Callable[..., dict]) -> None:
    wire.server.sysctl(tcp_fastopen=1)
    answer = measure(2)
    assert opened(answer, "fast_open") == all_of(2, False, 0)


def test_syn_data_refused(wire: Wire, measure: Callable[..., dict]) -> None:
    measure(1)
    wire.server.sysctl(tcp_fastopen=1)
    answer = measure(3)
    assert opened(answer, "fast_open") == opened(answer, "plain") == all_of(3, False, 0)
    assert answer["fast_open"]["counters"]["TCPFastOpenActiveFail"] == 6
    assert answer["fast_open"]["counters"]["RetransSegs"] == 6  # which is not a loss


def test_syn_data_dropped(wire: Wire, measure: Callable[..., dict]) -> None:
    measure(1)
    wire.server.rules(*syn_with_data("drop"))
    answer = measure(7)
    assert opened(answer, "fast_open") == all_of(5, False, 1)  # and is not asked any more
    assert opened(answer, "plain") == all_of(5, False, 0)
    assert min(answer["fast_open"]["ttfb_ms"]) > LOST_SYN_MS > max(answer["plain"]["ttfb_ms"])
    assert max(path["saved_ms"] for path in answer["paths"]) < -0.9 * LOST_SYN_MS


def test_cookie_request_dropped(wire: Wire, measure: Callable[..., dict]) -> None:
    wire.server.rules("tcp option fastopen exists drop")
    answer = measure(1)
    assert opened(answer, "fast_open") == all_of(1, False, 1)
    assert opened(answer, "plain") == all_of(1, False, 0)


def test_request_dropped_once(wire: Wire, measure: Callable[..., dict]) -> None:
    """The data behind the handshake, of one connection a family."""
    measure(1, arms=["plain"])  # who has which address is known from now on
    once = "limit rate 1/hour burst 1 packets drop"
    wire.server.rules(*(f"meta nfproto {family} tcp flags & syn == 0 meta length > 120 {once}" for family in SERVER))
    answer = measure(2, arms=["plain"])
    assert opened(answer, "plain") == dict.fromkeys(SERVER, [(False, 1), (False, 0)])
    assert answer["plain"]["ok"] == 4


def test_server_does_not_answer(wire: Wire, measure: Callable[..., dict]) -> None:
    wire.server.rules("tcp flags & syn == syn drop")
    answer = measure(1, arms=["plain"], timeout_seconds=1.5)
    assert (answer["plain"]["failed"], answer["plain"]["errors"]) == (2, ["timed out"])
    assert answer["plain"]["connections"] == [{"syn_data": False, "lost": 1, "rtt_ms": None}] * 2


def test_only_instances_that_lead_to_the_servers(measure: Callable[..., dict]) -> None:
    answer = measure(1, servers=["ss-ipv6"], arms=["plain"])
    assert [path["name"] for path in answer["paths"]] == ["ipv6"]
    assert answer["plain"]["ok"] == 2
    assert answer["paths"][0]["fast_open"]["ok"] == 0


def test_round_trip(wire: Wire, measure: Callable[..., dict], start: Callable[..., None]) -> None:
    start(wire.client, "delay.py", "30")
    wire.client.run("ip", "link", "set", "far", "netns", wire.server.name)
    for namespace, link, end in ((wire.client, "near", 0), (wire.server, "far", 1)):
        for family, prefix in (("ipv4", 24), ("ipv6", 64)):
            namespace.run("ip", "addr", "add", f"{FAR[family][end]}/{prefix}", "dev", link, *["nodad"][: prefix == 64])
        namespace.run("ip", "link", "set", link, "up")
    answer = measure(2, {family: ends[1] for family, ends in FAR.items()})
    for arm in ARMS:
        assert opened(answer, arm) == all_of(2, arm == "fast_open", 0)
        assert all(60 <= one["rtt_ms"] < 150 for one in answer[arm]["connections"])  # a busy machine adds to it
    assert all(20 < path["saved_ms"] < 100 for path in answer["paths"])


_MODULE = """
import sys
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _secrets, _systemd
here, _binary.PATH, arguments = sys.argv[1:]
_systemd.show = lambda units: {}
import json
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_tunnel
given = json.loads(arguments)
given["services"], given["secrets"] = _secrets.part([{**one, "password": "secret"} for one in given["services"]])
with patch_module_args(given):
    tfo_tunnel.main()
"""
