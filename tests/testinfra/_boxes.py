# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over a network that misbehaves: boxes on clients' paths, something that happens while it bakes, its journal."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import _hosts
from _seen import arguments, sysctl
from _traffic import PORT, SYN, WITH_DATA, first_bytes

BAKING = ", baking "
REQUESTS = 9
ROUND_TRIP_MS = 50.0  # of the honest network
LATE_MS = 500.0  # half of what a lost SYN costs; far more than a busy machine does


class Run(NamedTuple):
    """A rollout that has ended: exit status, all it printed, and its journal."""

    status: int
    output: str
    events: list[dict[str, Any]]

    def __repr__(self) -> str:
        """What a failed assertion shows of it: how each wave has ended, or the last words."""
        waves = [event for event in self.events if event.get("what") == "closed"]
        ended = json.dumps(waves) if waves else "no wave has ended: " + self.words[-1500:]
        return f"<exit status {self.status}, {ended}>"

    @property
    def words(self) -> str:
        """The output with line breaks and indentation taken out, so that a message is found however it was wrapped."""
        return " ".join(self.output.split())

    def wave(self) -> dict[str, Any]:
        """The last wave as it was kept last: verdict, why, hosts, …"""
        return [event for event in self.events if "hosts" in event and "what" in event][-1]

    def verdict(self) -> str:
        """Over the last wave."""
        return self.wave()["verdict"]

    def outcomes(self) -> dict[str, str]:
        """How each host of the run has ended."""
        return {one["host"]: one["outcome"] for one in self.events[-1]["hosts"]}

    def reasons(self, host: str) -> str:
        """Why: the figure in words, and all reasons of its wave, if it was in one."""
        told = [one["why"] for one in self.events[-1]["hosts"] if one["host"] == host]
        waves = [event["hosts"] for event in self.events if event.get("what") == "closed"]
        return "; ".join([*told, *(reason for hosts in waves if host in hosts for reason in hosts[host]["reasons"])])

    def reverted(self) -> list[str]:
        """The hosts of the last wave that were to be taken back."""
        return sorted(self.wave()["revert"])


def started(command: list[str], **environment: str) -> subprocess.Popen[str]:
    """An ansible-playbook in a session of its own, whose output can be read line by line as it comes."""
    plain = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, **plain, **environment},
    )


def rollout(
    limit: str,
    reports: Path,
    baking: Callable[[], object] | None = None,
    kill: bool = False,
    more: tuple[str, ...] = (),
    planned: Callable[[], object] | None = None,
    **extra: Any,
) -> Run:
    """Roll out over these hosts in one wave, clients that a rollout has taken back before among them.

    ``more`` are further arguments. ``planned`` happens as soon as the plan is shown, ``baking`` as soon as a step bakes, then
    ``kill`` ends the run by SIGKILL.
    """
    variables = {
        "rollout_bake_seconds": 3,
        "rollout_client_waves": ["100%"],
        "rollout_probe_requests": 20,
        "rollout_report_dir": str(reports),
        "rollout_retry": True,
        **extra,
    }
    command = ["ansible-playbook", "--inventory", str(_hosts.INVENTORY), "fastopen.shadowsocks.rollout"]
    command += ["--limit", limit, "--extra-vars", json.dumps(variables), *more]
    known = set(reports.glob("rollout-*.jsonl"))
    lines, happened = [], False
    with started(command, ANSIBLE_STDOUT_CALLBACK="fastopen.shadowsocks.rollout") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="")
            lines.append(line)
            if line == "Plan\n" and planned:
                planned()
            if BAKING in line and not happened:
                happened = True
                if baking:
                    baking()
                if kill:
                    os.killpg(process.pid, signal.SIGKILL)
    assert happened or not (baking or kill), "the run ended before it baked"
    journals = set(reports.glob("rollout-*.jsonl")) - known  # none where the run was refused before its plan
    events = [event for path in journals for event in _hosts.journal(path)]
    return Run(process.returncode, "".join(lines), events)


AMISS = re.compile(r"\w+: (inconclusive|reverted|failed|refused|unreachable): ")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(\.\d+)?")


def report(output: str) -> str:
    """What a run has shown, each number and each path of the controller by a sign for it.

    Who is amiss fails at the same time as others, so that those lines come in any order.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    amiss = sorted(line for line in lines if AMISS.match(line))
    lines = [line for line in lines if not AMISS.match(line)] + amiss
    return "".join(NUMBER.sub("#", re.sub(r"/\S*/rollout-\S+\.(jsonl|html)", "JOURNAL", line)) + "\n" for line in lines)


def same_as_golden(output: str, name: str) -> None:
    """A run reads as golden/NAME.txt; with FASTOPEN_GOLDEN set that file is written anew."""
    path = Path(__file__).parent / "golden" / f"{name}.txt"
    if os.environ.get("FASTOPEN_GOLDEN"):
        path.write_text(report(output), encoding="utf-8")
    assert report(output) == path.read_text(encoding="utf-8")


def box(client: str, *words: str) -> None:
    """Put a box on a client's path, or with `off` take all of them away."""
    _hosts.fleet("box", client, *words)


@contextmanager
def boxes(*orders: str) -> Iterator[None]:
    """Boxes (`c2 drop-data`) inside the block, an honest network after it."""
    try:
        for order in orders:
            box(*order.split())
        yield
    finally:
        box("all", "off")


def back(clients: str) -> None:
    """These clients to plain TCP, for the next run."""
    done = _hosts.play("fastopen.shadowsocks.rollback", "--limit", clients)
    assert done.status == 0


def syns(client: str) -> tuple[int, int, float]:
    """What requests through the running ss-local send: SYNs in all, SYNs with data, median first byte in ms.

    Captured at the client, since what a box drops arrives nowhere.
    """
    shell = _hosts.host(client)
    capture = "/run/fastopen-syns.pcap"
    shell.check_output(f"rm -f {capture}")
    shell.check_output(
        "systemd-run --quiet --collect --unit=fastopen-syns tcpdump -i data --immediate-mode -nn -U -Z root -w %s %s",
        capture,
        f"tcp dst port {PORT} and {SYN}",
    )
    shell.check_output(f"for n in $(seq 100); do test -s {capture} && exit 0; sleep 0.05; done; exit 1")
    try:
        median = statistics.median(first_bytes(client, REQUESTS))
        shell.check_output("sleep 0.3")
    finally:
        shell.check_output("systemctl stop fastopen-syns")
    count = [
        len(shell.check_output("tcpdump -nn -r %s %s 2>/dev/null", capture, f).splitlines()) for f in (SYN, WITH_DATA)
    ]
    return count[0], count[1], median


def assert_plain(client: str, round_trip_ms: float = ROUND_TRIP_MS) -> None:
    """The client's program runs without TFO, its SYNs carry no data, and it is as fast as plain TCP is."""
    assert "--fast-open" not in arguments(client, "ss-local@main.service")
    assert sysctl(client, "net.ipv4.tcp_fastopen") == "1"
    sent, with_data, median = syns(client)
    assert sent >= REQUESTS
    assert with_data == 0
    assert 2 * round_trip_ms <= median < 2 * round_trip_ms + LATE_MS


def assert_fast(client: str, round_trip_ms: float = ROUND_TRIP_MS) -> None:
    """Each request of the client is inside its SYN, and a round trip is saved."""
    assert "--fast-open" in arguments(client, "ss-local@main.service")
    first_bytes(client, 2)
    _sent, with_data, median = syns(client)
    assert with_data >= REQUESTS
    assert round_trip_ms <= median < 2 * round_trip_ms
