# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `molecule`: the scenarios on new machines, with the installed artifact in place of the checkout.

Scenarios wait far more than they compute, so several fleets work side by side, each on one scenario at a time.

Molecule succeeds where a playbook of the sequence is missing, where a play met no host, and where a step was not run.
This program reads along and fails then. One scenario that fails does not keep the others from running.

What the judge says of a path is a matter of chance, rarely, and so is a test of it: where one or two scenarios of all fail,
they are run once more, which is said at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from _copies import install_artifact, outside, scratch_directory
from _output import follow
from with_tools import CHECKOUT

FLEET = str(CHECKOUT / "tests" / "fleet" / "fleet")
RUST = str(CHECKOUT / "tests" / "fleet" / "rust.py")
FLEETS = 5
AGAIN = (1, 2)
"""So many that fail are run once more."""
LONG = (
    "box_bake",
    "host_life",
    "box_servers",
    "faults_connection",
    "guard",
    "prometheus",
    "faults_host",
    "adopted",
    "faults_deploy",
    "faults_rollout",
    "load",
    "secrets",
    "box_boundaries",
    "box_killed",
    "box_before",
)
"""These begin first, or one of them would be waited for at the end."""
SLOW = (
    "box_bake@rust",
    "box_before@rust",
    "box_killed@mixed",
    "box_servers@mixed",
    "event",
    "guard@rust",
    "host_life@rust",
    "host_life_everywhere",
    "killed_everywhere",
    "load@rust",
    "playbook_audit",
    "playbook_rollback@rust",
    "playbook_rollout",
    "playbook_rollout@forky",
    "receptor",
    "role_ss_client@forky",
    "runner",
    "secrets@rust",
)
"""Left out unless they are asked for, by name or with --slow. playbook_audit and playbook_rollout are not slow: what they show is
in their @mixed, which has libev with libev among its pairs."""
RECEPTOR = "receptor"
"""A scenario, and the program that it needs: no package of Debian or PyPI has it, and Go cannot install it by its name."""
# A line in quotes is what the verifying tests printed of playbooks that they ran themselves.
FALSE_GREEN = re.compile(
    r"(?!\s+[\"']).*(missing=[1-9]|Missing playbook|no hosts matched"
    r"|Could not match supplied host pattern|provided hosts list is empty)"
)
# Plays of a rollout in which nobody is left to be stepped.
WAVES = ("Servers, in batches", "Canary clients", "Remaining clients, in waves")


WITH_RUST = (
    "adopted@rust",
    "box_bake@rust",
    "box_before@rust",
    "box_killed@mixed",
    "box_servers@mixed",
    "guard@rust",
    "host_life@rust",
    "load@rust",
    "playbook_audit@mixed",
    "playbook_rollback@rust",
    "playbook_rollout@forky",
    "playbook_rollout@mixed",
    "role_ss_client@forky",
    "role_ss_client@rust",
    "secrets@rust",
)
"""Scenarios that run once more over other programs: rust everywhere, on that release of Debian as well, or each kind of client
with each kind of server."""


@dataclass
class Scenario:
    """One scenario, and how it went: Molecule's exit status, its lines, and how many seconds it took.

    ``name`` may say what the hosts run: ``box_bake@rust``, ``box_bake@mixed``; else it is libev.
    """

    name: str
    status: int = 1
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="one fleet, with its machines as they are, which are left")
    parser.add_argument("--slow", action="store_true", help=f"also these: {', '.join(SLOW)}")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="only these (without: all that are not slow)")
    return parser.parse_args()


def run(scenarios: list[Scenario], scratch: Path, installed: Path, keep: bool) -> None:
    """Run these scenarios, shared out among the fleets."""
    if not scenarios:
        return
    waiting: SimpleQueue[Scenario] = SimpleQueue()
    for one in scenarios:
        waiting.put(one)
    fleets = [int(os.environ.get("FASTOPEN_FLEET") or 0)] if keep else range(min(FLEETS, len(scenarios)))
    with ThreadPoolExecutor() as pool:
        working = [pool.submit(work, number, waiting, scratch, installed, keep) for number in fleets]
        for worker in working:
            worker.result()


def work(number: int, waiting: SimpleQueue[Scenario], scratch: Path, installed: Path, keep: bool) -> None:
    """Run one scenario after the other on the fleet of this number, as long as any is waiting."""
    environment = outside(
        installed,
        FASTOPEN_FLEET=str(number),
        ANSIBLE_SSH_CONTROL_PATH_DIR=f"~/.ansible/cp{number}",  # its hosts have the addresses of every fleet's
    )
    if not keep:
        subprocess.run([FLEET, "down"], check=True, env=environment)
    while True:
        try:
            one = waiting.get_nowait()
        except Empty:
            break
        # What Molecule keeps of a scenario that was prepared would keep the next one from being so.
        state = scratch / one.name
        state.mkdir(parents=True)
        name, _at, implementation = one.name.partition("@")
        command = ["molecule", "test", "--no-command-borders", "--report", "--destroy=never"]
        begin = time.monotonic()
        one.status, one.lines = follow(
            [FLEET, "inside", *command, f"--scenario-name={name}"],
            {**environment, "MOLECULE_EPHEMERAL_DIRECTORY": str(state), "IMPLEMENTATION": implementation},
            prefix=f"{one.name} | ",
        )
        one.seconds = time.monotonic() - begin
    if not keep:
        subprocess.run([FLEET, "down"], check=True, env=environment)


def _place(name: str) -> tuple[int, str]:
    """Where a scenario stands in the queue."""
    base = name.partition("@")[0]
    return (LONG.index(base) if base in LONG else len(LONG), name)


def left_out(lines: list[str]) -> list[str]:
    """The lines that tell of something that was not run; that a wave has no host left is no such thing."""
    found, play = [], ""
    for line in lines:
        if "PLAY [" in line:
            play = line.partition("PLAY [")[2].partition("]")[0]
        if FALSE_GREEN.match(line) and not ("no hosts matched" in line and play in WAVES):
            found.append(line)
    return found


def main() -> int:
    """Run Molecule over the scenarios; the exit status is 0 when nothing failed and nothing was left out."""
    arguments = parse_arguments()
    known = sorted(path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml"))
    passed_over = ("default", *(() if arguments.slow else SLOW))
    names = arguments.scenarios or [name for name in (*known, *WITH_RUST) if name not in passed_over]
    scenarios = [Scenario(name) for name in sorted(names, key=_place)]
    subprocess.run([FLEET, "images"], check=True)
    if not arguments.scenarios and subprocess.run([sys.executable, RUST], check=False).returncode != 0:
        without = {one.name.partition("@")[0] for one in scenarios}
        scenarios = [Scenario(name) for name in sorted(without, key=_place)]
        print("molecule: shadowsocks-rust cannot be built here: its scenarios run with libev", file=sys.stderr)
    if not arguments.scenarios and shutil.which(RECEPTOR) is None:
        scenarios = [one for one in scenarios if one.name != RECEPTOR]
        if arguments.slow:
            print("molecule: there is no receptor on the PATH: its scenario is left out", file=sys.stderr)
    with scratch_directory("molecule") as scratch:
        _tarball, installed = install_artifact(scratch)
        run(scenarios, scratch / "first", installed, arguments.keep)
        failed = [one for one in scenarios if one.status]
        again = [Scenario(one.name) for one in failed] if not arguments.scenarios and len(failed) in AGAIN else []
        run(again, scratch / "second", installed, arguments.keep)
    for one in again:
        print(f"molecule: {one.name} failed, and was run again", file=sys.stderr)
    scenarios = [one for one in scenarios if not again or not one.status] + again
    amiss = False
    for one in sorted(scenarios, key=lambda one: one.name):
        # What a scenario that fails has left out is said by its failure.
        for line in [] if one.status else sorted(set(left_out(one.lines))):
            amiss = True
            print(f"molecule: {one.name} passes without having tested anything: {line}", file=sys.stderr)
        print(
            f"molecule: scenario {one.name} {'fails' if one.status else 'passes'} ({one.seconds:.0f} s)",
            file=sys.stderr,
        )
        amiss = amiss or one.status != 0
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
