# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploying, rolling out, running again and auditing cost on 24 hosts over ssh, in multiples of a ping play.

One round: a fresh fleet; plain Shadowsocks deployed; a rollout from there, and again; an audit; a deployment again; all
of it rolled back; from there the same state by a play of stock modules, and again. A ping play runs before each, and
the figures of a round are divided by the median of its own pings: what else the machine does slows both. Wall time is
as it passes; CPU is the controller's, of ansible-playbook and every process that it waited for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service

HERE = Path(__file__).resolve().parent
FLEET = HERE.parent / "fleet"
HOSTS = 24
GATEWAY = "10.203.4.1"
"""This machine, as the hosts of the profile see it (tests/fleet/_topology.py)."""
RECAP = re.compile(r"^b\d\d +: .* changed=(\d+)", re.MULTILINE)
CONFIG = """\
[defaults]
forks = {hosts}
inject_facts_as_vars = false
[connection]
pipelining = true
[ssh_connection]
control_path_dir = {sockets}
"""


class Step(NamedTuple):
    """A measured run: `changes` tells whether it must change every host, or none; goals in pings, None: no goal."""

    label: str
    playbook: str
    changes: bool
    wall_goal: float | None = None
    cpu_goal: float | None = None


class Cost(NamedTuple):
    """Seconds, or multiples of a ping."""

    wall: float
    cpu: float


PING, STATE, STOCK = (str(HERE / name) for name in ("ping.yml", "state.yml", "stock.yml"))
DEPLOY = Step("deploy, fresh hosts", "fastopen.shadowsocks.deploy", True)
ROLLED_OUT = (
    Step("rollout, first", "fastopen.shadowsocks.rollout", True, wall_goal=6),
    Step("rollout, again", "fastopen.shadowsocks.rollout", False, wall_goal=2, cpu_goal=3),
    Step("audit", "fastopen.shadowsocks.audit", False),
    Step("deploy, again", "fastopen.shadowsocks.deploy", False),
)
ROLLBACK = Step("rollback, all", "fastopen.shadowsocks.rollback", True)
BY_STOCK = (Step("stock modules, first", STOCK, True), Step("stock modules, again", STOCK, False))
STEPS = (DEPLOY, *ROLLED_OUT, ROLLBACK, *BY_STOCK)


class Origin(BaseHTTPRequestHandler):
    """The web server that the clients fetch from through their tunnels."""

    def do_GET(self) -> None:  # the name is http.server's
        """Answer a few bytes."""
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"origin\n")

    def log_message(self, *_arguments: object) -> None:
        """Stay silent: the terminal is the table's."""


class Bench:
    """Runs playbooks over the fleet and measures them; `scratch` takes logs, variables and control sockets."""

    def __init__(self, scratch: Path, probe_url: str) -> None:
        self.scratch, self.log = scratch, scratch / "log"
        units = {
            program: _service.unit_text(program, 65536, f"/usr/bin/{program}").replace(
                "%i.json\n", "%i.json --fast-open\n"
            )
            for program in ("ss-server", "ss-local")
        }
        variables = {"bench_units": units, "rollout_probe_url": probe_url}
        (scratch / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
        (scratch / "ansible.cfg").write_text(CONFIG.format(hosts=HOSTS, sockets=scratch), encoding="utf-8")

    def play(self, playbook: str, *arguments: str) -> Cost:
        """Run a playbook that must pass, and return what it cost."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own["ANSIBLE_COLLECTIONS_PATH"] = os.environ["ANSIBLE_COLLECTIONS_PATH"]
        own["ANSIBLE_CONFIG"] = f"{self.scratch}/ansible.cfg"
        variables = f"@{self.scratch}/variables.json"
        command = ["ansible-playbook", "-i", str(FLEET / "inventory_bench"), "-e", variables, playbook]
        with self.log.open("w", encoding="utf-8") as log:
            start = time.monotonic()
            process = subprocess.Popen([*command, *arguments], env=own, stdout=log, stderr=subprocess.STDOUT)
            try:
                _pid, status, usage = os.wait4(process.pid, 0)
            except BaseException:  # stopped meanwhile: nothing of it must go on behind
                process.terminate()
                process.wait()
                raise
            wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            self.stop(f"{playbook} failed")
        return Cost(wall, usage.ru_utime + usage.ru_stime)

    def measure(self, step: Step) -> Cost:
        """Run a step; stop unless it changed what it had to change."""
        cost = self.play(step.playbook, *(["-e", "rollback_scope=all"] if step is ROLLBACK else []))
        changed = [int(number) for number in RECAP.findall(self.log.read_text(encoding="utf-8"))]
        if len(changed) != HOSTS or any(bool(number) != step.changes for number in changed):
            self.stop(f"{step.label} changed these many things, by host: {changed}")
        return cost

    def stop(self, why: str) -> None:
        """Give up, and show the end of what the playbook said."""
        sys.exit("\n".join([*self.log.read_text(encoding="utf-8").splitlines()[-40:], f"bench: {why}; see above"]))


def run_round(bench: Bench) -> tuple[dict[str, Cost], Cost]:
    """What each step cost on a fresh fleet, and a ping meanwhile."""
    costs, pings = {}, []

    def measure(*steps: Step) -> None:
        for step in steps:
            pings.append(bench.play(PING))
            costs[step.label] = bench.measure(step)
            print(".", end="", flush=True)

    bench.play(PING)  # opens the connections
    measure(DEPLOY, *ROLLED_OUT)
    bench.play(STATE)
    measure(ROLLBACK, *BY_STOCK)
    bench.play(STATE)
    return costs, Cost(median(ping.wall for ping in pings), median(ping.cpu for ping in pings))


@contextmanager
def origin() -> Iterator[str]:
    """A web server on the fleet's own bridge; its URL."""
    with ThreadingHTTPServer((GATEWAY, 0), Origin) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{GATEWAY}:{server.server_port}/"
        server.shutdown()


def table(rounds: list[tuple[dict[str, Cost], Cost]]) -> Iterator[str]:
    """The lines of the result: the median of the rounds, with the least and the greatest where there are several."""
    walls, cpus = [ping.wall for _costs, ping in rounds], [ping.cpu for _costs, ping in rounds]
    yield f"One ping play (PP): {spread(walls, 's')} of wall time, {spread(cpus, 's')} of controller CPU"
    yield f"{'':22}{'wall / PP':18}{'goal':14}{'CPU / PP':18}goal"
    for step in STEPS:
        wall = [costs[step.label].wall / ping.wall for costs, ping in rounds]
        cpu = [costs[step.label].cpu / ping.cpu for costs, ping in rounds]
        cells = f"{spread(wall):18}{goal(wall, step.wall_goal):14}{spread(cpu):18}{goal(cpu, step.cpu_goal)}"
        yield f"{step.label:22}{cells}".rstrip()


def spread(numbers: list[float], unit: str = "") -> str:
    """The median, and in brackets the least and the greatest."""
    middle = f"{median(numbers):.1f}{unit and ' '}{unit}"
    return middle if len(numbers) == 1 else f"{middle} ({min(numbers):.1f}-{max(numbers):.1f})"


def goal(ratios: list[float], most: float | None) -> str:
    """The goal, and whether the median met it."""
    return "" if most is None else f"≤ {most:g} {'met' if median(ratios) <= most else 'missed'}"


def main() -> None:
    """Run the rounds, print the table of all so far after each, take the fleet down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))  # by way of `finally`
    settings = "pipelining, warm ssh connections, no facts; hosts and controller share this machine"
    print(f"{HOSTS} hosts, {os.cpu_count()} cores, forks={HOSTS}, {settings}", flush=True)
    fleet = str(FLEET / "fleet")
    rounds = []
    try:
        for number in range(arguments.rounds):
            before = os.getloadavg()[0]
            subprocess.run([fleet, "up", "--profile", "bench", "--fresh"], check=True)
            with tempfile.TemporaryDirectory(prefix="bench-") as scratch, origin() as url:
                rounds.append(run_round(Bench(Path(scratch), url)))
            load = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
            print(f" round {number + 1} of {arguments.rounds}, {load}", flush=True)
            print("\n".join(table(rounds)), flush=True)
    finally:
        subprocess.run([fleet, "down", "--profile", "bench"], check=True)


if __name__ == "__main__":
    main()
