# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under load all the time: a port with two workers never stops accepting, whatever the playbooks do to them.

With rust these are threads of one process, whose port is closed while it restarts: it restarts no oftener than it must.

What is asserted is what must never happen. How many requests a restart cuts is a figure, shown beside that of a bare
`systemctl restart` of the same units in the same run.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import _hosts
import pytest
import yaml
from _hosts import CLIENTS, ORIGIN, host, own_inventory, play, variables
from _life import run
from _seen import counters, unit
from _traffic import fetch

PORT = 8388
ONE_PROCESS = _hosts.implementation("ss1") == "rust"
WORKERS = ["ss-server@main.service"] if ONE_PROCESS else [f"ss-server@main-{number}.service" for number in (1, 2)]
STARTED = "39f53479d3a045ac8e11786248231fbf"  # SD_MESSAGE_UNIT_STARTED (systemd/sd-messages.h)
UNDER_LOAD = ("c1", "c3")  # both are clients of ss1
LOOPS = 5  # a client
LOG, KNOCKED, CAPTURE = "/run/requests.log", "/run/knocked", "/run/refusals.pcap"
DRIVER = "_load_driver.py"
# What answers a SYN where nobody listens: the reset of a connection that was accepted has a number of its own (RFC 9293, 3.10.7.1).
REFUSAL = f"src port {PORT} and tcp[tcpflags] & tcp-rst != 0 and tcp[4:4] == 0"
SETTLE_SECONDS = 1.0
ROLLOUT = {"rollout_accept_unmanaged": True, "rollout_retry": True, "rollout_probe_requests": 5}


class Figures(NamedTuple):
    """Of ``requests`` through the clients ``cut`` failed; of ``connects`` to the server's port ``refused``, ``other`` failed else."""

    requests: int
    cut: int
    connects: int
    refused: int
    other: int


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ss1 with two workers, and its two clients, deployed."""
    folder = own_inventory(tmp_path_factory.mktemp("load"))
    path = folder / "group_vars" / "shadowsocks_servers.yml"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    found["ss_server_instances"][0]["workers"] = "{{ 2 if inventory_hostname == 'ss1' else 1 }}"
    path.write_text(yaml.safe_dump(found), encoding="utf-8")
    assert play("fastopen.shadowsocks.deploy", "--limit", "ss1,ss2,c1,c3", inventory=folder).status == 0
    for name in CLIENTS:
        run(name, f"cat > /root/{DRIVER}", (Path(__file__).parent / DRIVER).read_bytes())
    return folder


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[dict[str, Figures]]:
    """Those of each case, shown side by side at the end."""
    found: dict[str, Figures] = {}
    yield found
    print(f"\n{'':<44} {'requests':>8} {'cut':>5} {'connects':>9} {'refused':>8} {'other':>6}")
    for case, one in found.items():
        print(f"{case:<44} {one.requests:8} {one.cut:5} {one.connects:9} {one.refused:8} {one.other:6}")


@pytest.fixture(scope="module", autouse=True)
def capture(inventory: Path) -> Iterator[None]:
    """Every refusal by the server, from its start on."""
    del inventory
    shell = host("ss1")
    shell.check_output(
        "systemd-run --quiet --collect --unit=refusals tcpdump -i data -nn -U --immediate-mode -Z root -w %s %s",
        CAPTURE,
        REFUSAL,
    )
    shell.check_output(f"for n in $(seq 100); do test -s {CAPTURE} && exit 0; sleep 0.05; done; exit 1")
    yield
    shell.run("systemctl stop refusals")


def refusals() -> int:
    """How many are captured by now."""
    time.sleep(0.3)
    return len(host("ss1").check_output(f"tcpdump -nn -r {CAPTURE} 2>/dev/null").splitlines())


def during(action: Callable[[], object]) -> Figures:
    """Requests through every client, and connects to the server's port, before, during and after the action."""
    curl = f"curl -s -o /dev/null --max-time 10 -w '%{{exitcode}}\\n' --socks5 127.0.0.1:1080 {ORIGIN} >> {LOG}"
    loops = f"for n in $(seq {LOOPS}); do (while :; do {curl}; done) & done; wait"
    address = variables("ss1")["data_address"]
    for name in UNDER_LOAD:
        run(name, f"rm -f {LOG}; systemd-run --quiet --collect --unit=requests bash -c {shlex.quote(loops)}")
        knock = f"systemd-run --quiet --collect --unit=knock -p StandardOutput=truncate:{KNOCKED}"
        run(name, f"{knock} python3 /root/{DRIVER} knock {address} {PORT}")
    try:
        time.sleep(SETTLE_SECONDS)
        action()
        time.sleep(SETTLE_SECONDS)
    finally:
        for name in UNDER_LOAD:
            run(name, "systemctl stop requests knock")
    codes = [code for name in UNDER_LOAD for code in run(name, f"cat {LOG}").split()]
    knocked = [json.loads(run(name, f"cat {KNOCKED}")) for name in UNDER_LOAD]
    made, refused, other = (sum(one[key] for one in knocked) for key in ("made", "refused", "other"))
    return Figures(len(codes), len(codes) - codes.count("0"), made, refused, other)


def playbook(inventory: Path, name: str, limit: str, **extra: object) -> Callable[[], object]:
    """One that ends well."""

    def action() -> None:
        done = play(f"fastopen.shadowsocks.{name}", "--limit", limit, inventory=inventory, **extra)
        assert done.status == 0

    return action


def pids() -> list[str]:
    """The workers' processes."""
    return [unit("ss1", one)["MainPID"] for one in WORKERS]


def starts() -> list[int]:
    """How often each worker was started until now."""
    count = f"journalctl -q -o cat MESSAGE_ID={STARTED} UNIT=%s | wc -l"
    return [int(host("ss1").check_output(count, one)) for one in WORKERS]


def never_refused(case: str, figures: dict[str, Figures], action: Callable[[], object], restarts: int = 1) -> None:
    """Each worker is restarted so often, and neither a connect nor the wire has seen a refusal meanwhile."""
    before, captured = starts(), refusals()
    figures[case] = during(action)
    assert figures[case].connects > 100
    assert starts() == [count + restarts for count in before]
    assert [fetch(name) for name in UNDER_LOAD] == ["origin", "origin"]
    if not ONE_PROCESS:
        assert (figures[case].refused, refusals() - captured) == (0, 0), figures[case]


def test_a_closed_port_is_seen(figures: dict[str, Figures]) -> None:
    """By the connects, and on the wire: what the other tests count would be there."""
    names = " ".join(WORKERS)
    case = "both stopped for a moment"
    figures[case] = during(lambda: run("ss1", f"systemctl stop {names}; sleep 0.5; systemctl start {names}"))
    assert figures[case].refused > 0 and refusals() > 0


def test_bare_restart(figures: dict[str, Figures]) -> None:
    """What everybody's restart costs: no assertion but that it was one."""
    before = pids()
    figures["systemctl restart of both"] = during(lambda: run("ss1", f"systemctl restart {' '.join(WORKERS)}"))
    assert not set(before) & set(pids())


def test_deploy_of_a_change(inventory: Path, figures: dict[str, Figures]) -> None:
    never_refused("deploy", figures, playbook(inventory, "deploy", "ss1", ss_server_limit_nofile=20000))


def test_deploy_of_a_change_with_migration(inventory: Path, figures: dict[str, Figures]) -> None:
    """With net.ipv4.tcp_migrate_req=1 connections that wait to be accepted go to the other worker, if any (ip-sysctl.rst)."""
    run("ss1", "sysctl -qw net.ipv4.tcp_migrate_req=1")
    try:
        never_refused("deploy, tcp_migrate_req=1", figures, playbook(inventory, "deploy", "ss1"))
    finally:
        run("ss1", "sysctl -qw net.ipv4.tcp_migrate_req=0")


def test_undo_of_a_lease(inventory: Path, figures: dict[str, Figures]) -> None:
    """A step that nobody confirms: the host restarts its workers by itself, twice in all."""
    asked = {"side": "server", "instances": "{{ ss_server_instances }}", "state": "stepped", "run": "load"}
    command = ["ansible", "ss1", "-i", str(inventory), "-m", "fastopen.shadowsocks.tfo_stage"]
    command += ["-a", json.dumps({**asked, "lease_seconds": 10, "probe_url": ORIGIN})]

    def action() -> None:
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=os.environ)
        assert done.returncode == 0 and '"outcome": "stepped"' in done.stdout, done.stdout
        deadline = time.monotonic() + 120
        while host("ss1").file("/run/fastopen/lease.json").exists:
            assert time.monotonic() < deadline
            time.sleep(0.5)

    never_refused("step and undo of its lease", figures, action, restarts=2)


def test_rollout(inventory: Path, figures: dict[str, Figures]) -> None:
    never_refused("rollout", figures, playbook(inventory, "rollout", "ss1,c1", **ROLLOUT))


def test_rollback(inventory: Path, figures: dict[str, Figures]) -> None:
    never_refused("rollback", figures, playbook(inventory, "rollback", "ss1,c1", rollback_scope="all"))


WARM = 40


def burst() -> dict[str, int]:
    """By how much the counters of ss2 rose when so many warm clients came at once."""
    shell = ["ssh", *shlex.split(_hosts._SSH), "-i", f"{_cache()}/fleet/id_ed25519"]  # pylint: disable=protected-access
    shell += [f"root@{variables('c2')['ansible_host']}"]
    shell += [f"python3 /root/{DRIVER} burst {variables('ss2')['data_address']} {PORT} {WARM}"]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdin is not None and driver.stdout is not None
        assert driver.stdout.readline() == "warm\n"
        before = counters("ss2")
        driver.stdin.write("\n")
        driver.stdin.close()
        assert driver.wait(30) == 0
    after = counters("ss2")
    names = ("TCPFastOpenPassive", "TCPFastOpenListenOverflow")
    return {name: after[name] - before[name] for name in names}


def _cache() -> str:
    return os.environ.get("FASTOPEN_CACHE") or f"{os.environ['HOME']}/.cache/fastopen.shadowsocks"


@pytest.fixture(name="far")
def fixture_far() -> Iterator[None]:
    """100 ms of round-trip time."""
    _hosts.fleet("rtt", "100")
    yield
    _hosts.fleet("rtt", "50")


@pytest.mark.parametrize("mode", ["flag", "listener"])
def test_warm_clients_at_once(inventory: Path, far: None, mode: str) -> None:
    """libev's own queue has five places for connections that are not finished; in listener mode it is the listener's."""
    del far
    playbook(inventory, "deploy", "ss2", ss_server_fast_open=True, ss_server_fast_open_mode=mode)()
    rose = burst()
    print(mode, rose)
    if mode == "listener" or _hosts.implementation("ss2") == "rust":
        assert rose == {"TCPFastOpenPassive": WARM, "TCPFastOpenListenOverflow": 0}
    else:
        assert rose["TCPFastOpenListenOverflow"] > 0 and rose["TCPFastOpenPassive"] < WARM
