# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are lost, or reboot, in the middle of a deployment: docs/faults-connection.md and docs/faults-host.md have a
row for each.

What it changes breaks no tunnel: ss2, with two processes that take turns at one port, and c4 get another time-out, c2 runs
the same client by another name, and c3 is new each time.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _faults
import pytest
from _host_faults import begun, own, own_gone
from _hosts import ORIGIN, Play, fleet, host, play
from _seen import config, is_up, pids
from _traffic import fetch

HOSTS = ("ss1", "ss2", "c1", "c2", "c3", "c4")
LIMIT = ("--limit", ",".join(HOSTS))
SERVER, CLIENT = "ss-server@{}.service", "ss-local@{}.service"
TURNS = (SERVER.format("main-1"), SERVER.format("main-2"))
SLOW_STOP, SLOW_START = "ExecStop=/bin/sleep 20", "ExecStartPre=/bin/sleep 20"
NAMES = {"main": "other", "other": "main"}
TERMINAL = {"ansible_pipelining": False}
"""As Ansible does by default: what runs on the host has a terminal, which is gone when the connection is."""
ALIVE = "-o ServerAliveInterval=2 -o ServerAliveCountMax=2"


def told(folder: Path, seconds: int, name: str, **faults: dict[str, Any]) -> tuple[str, ...]:
    """Arguments: this time-out for ss2 and c4, this name for the client on c2, and further variables of hosts."""
    server = {"name": "main", "port": 8388, "method": "aes-256-gcm", "password": "embedded-fleet-ss2"}
    server |= {"address": "10.203.2.12", "workers": 2, "timeout_seconds": seconds}
    client = {"server": "ss2", "server_instance": "main", "local_port": 1080}
    old = NAMES[name]
    clients: dict[str, dict[str, Any]] = {
        "c2": {"ss_client_instances": [{"name": old, "state": "absent"}, {**client, "name": name}]},
        "c3": {},
        "c4": {"ss_client_instances": [{**client, "name": "main", "timeout_seconds": seconds}]},
    }
    clients = {one: {**variables, **faults.get(one, {})} for one, variables in clients.items()}
    return _faults.inventory(folder, clients, {"ss2": {"ss_server_instances": [server], **faults.get("ss2", {})}})


def named() -> tuple[str, str]:
    """The name of the client on c2, and the one that it gets."""
    (unit,) = sorted(pids("c2"))
    (old,) = [name for name in NAMES if unit == CLIENT.format(name)]
    return old, NAMES[old]


def slowed(name: str) -> dict[str, tuple[str, str]]:
    """By host its unit that is slow from here on, and in what; ``name`` is that of the client on c2."""
    slow = {
        "ss2": (TURNS[0], SLOW_STOP),
        "c2": (CLIENT.format(name), SLOW_STOP),
        "c3": (CLIENT.format("main"), SLOW_START),
    }
    for one, (unit, line) in slow.items():
        own(host(one).check_output, unit, line)
    return slow


def amiss(run: Play, *what: str) -> list[str]:
    """The hosts that are so (`failed`, `unreachable`)."""
    return sorted(name for name, figures in run.recap.items() if any(figures[one] for one in what))


def by_itself(condition: Callable[[], bool]) -> None:
    """Wait until it is so, without a deployment."""
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def works(client: str) -> bool:
    """Its tunnel; a service that has started may not listen yet."""
    return host(client).run(f"curl --silent --max-time 10 --socks5 127.0.0.1:1080 {ORIGIN}").stdout.strip() == "origin"


def meanwhile(
    pool: ThreadPoolExecutor,
    running: Future[Play],
    slow: dict[str, tuple[str, str]],
    happens: dict[str, Callable[[str], object]],
) -> Play:
    """To each host what happens to it, when its unit is in the middle; the run that goes on beside it."""

    def to(name: str) -> None:
        unit, line = slow[name]
        begun(host(name).check_output, unit, {SLOW_STOP: "stop", SLOW_START: "start-pre"}[line], running)
        happens[name](name)

    list(pool.map(to, slow))
    return running.result()


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Everybody runs in the beginning; who is as wanted is not restarted."""
    more = told(tmp_path_factory.mktemp("begin"), 60, "main")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="alive-") as connections:
        # A connection that is open already would not notice, whatever is asked of the next one.
        patch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", connections)
        patch.setenv("ANSIBLE_SSH_EXTRA_ARGS", ALIVE)
        assert play("fastopen.shadowsocks.deploy", *LIMIT, *more).status == 0
        before = {name: pids(name) for name in ("ss1", "c1")}
        yield
        assert {name: pids(name) for name in before} == before


@pytest.fixture(autouse=True)
def new_c3(running: None) -> None:
    """A host of which nothing is known."""
    fleet("up", "--fresh", "c3")


def again(folder: Path, seconds: int, name: str) -> list[str]:
    """The same after the mend: everybody is as wanted, and every tunnel works; on whom something was still to be done."""
    run = play("fastopen.shadowsocks.deploy", *LIMIT, *told(folder, seconds, name))
    assert run.status == 0
    for unit in TURNS:
        assert is_up("ss2", unit)
    for number in (1, 2):
        assert config("ss2", f"ss-server-main-{number}")["timeout"] == seconds
    for client, unit in {"c2": CLIENT.format(name), "c3": CLIENT.format("main"), "c4": CLIENT.format("main")}.items():
        assert list(pids(client)) == [unit]
        assert is_up(client, unit)
        assert fetch(client) == "origin"
    return sorted(one for one, figures in run.recap.items() if figures["changed"])


def test_hosts_lost_in_the_middle(tmp_path: Path) -> None:
    """Each is through with it by itself; the others go on."""
    before, (old, new) = pids("ss2"), named()
    slow = slowed(old)
    faults = {"ss2": TERMINAL, "c2": TERMINAL}
    with _faults.deaf("ss2", "c2") as make_deaf, _faults.silent() as make_silent, ThreadPoolExecutor() as pool:
        running = pool.submit(play, "fastopen.shadowsocks.deploy", *LIMIT, *told(tmp_path, 77, new, **faults))
        happens = {"ss2": make_deaf, "c2": make_deaf, "c3": make_silent}
        run = meanwhile(pool, running, slow, happens)
        assert fetch("c4") == "origin"  # through ss2, whom only its operator has lost
    assert (run.status, amiss(run, "failed"), amiss(run, "unreachable")) == (4, [], ["c2", "c3", "ss2"])
    assert config("c4", "ss-local-main")["timeout"] == 77
    by_itself(lambda: not set(pids("ss2").values()) & set(before.values()))
    by_itself(lambda: is_up("c2", CLIENT.format(new)))
    by_itself(lambda: is_up("c3", CLIENT.format("main")))
    for client in ("c2", "c3", "c4"):
        by_itself(functools.partial(works, client))
    for name, (unit, _line) in slow.items():
        own_gone(host(name).check_output, unit)
    assert again(tmp_path, 77, new) == []


@pytest.mark.parametrize("how", [["--hard"], []], ids=["power-cut", "shutdown"])
def test_hosts_that_reboot_in_the_middle(tmp_path: Path, how: list[str]) -> None:
    """Each boots with what was there before, or with what is wanted; systemd refuses to the deployment, where it still
    runs while the host goes down."""
    seconds = 88 if how else 99
    old, new = named()
    slow = slowed(old)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(play, "fastopen.shadowsocks.deploy", *LIMIT, *told(tmp_path, seconds, new))
        run = meanwhile(pool, running, slow, dict.fromkeys(slow, lambda name: fleet("reboot", *how, name)))
    assert run.status in (2, 4)
    assert amiss(run, "failed", "unreachable") == ["c2", "c3", "ss2"]
    assert not how or amiss(run, "failed") == []
    assert config("c4", "ss-local-main")["timeout"] == seconds
    by_itself(lambda: all(is_up("ss2", unit) for unit in TURNS))
    by_itself(lambda: any(is_up("c2", CLIENT.format(name)) for name in (old, new)))
    clients = ["c2", "c4"]
    if how or pids("c3"):  # on a host where nothing ran before, nothing may be what was there before
        by_itself(lambda: is_up("c3", CLIENT.format("main")))
        clients.append("c3")
    for client in clients:
        by_itself(functools.partial(works, client))
    assert "c4" not in again(tmp_path, seconds, new)
