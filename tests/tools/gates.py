# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the gates named in the arguments, all of them, and end with what failed and their count.

    python tests/tools/gates.py lint,contract+sanity,unit netns molecule

The steps of the command line come one after the other: the packet tests and Molecule's scenarios measure milliseconds, and
would measure other gates instead. Those that only compute share the cores: lanes of one step, with a plus sign between them,
run side by side, each through its gates one after the other.
"""

from __future__ import annotations

import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from _output import follow

TELLING = re.compile(
    r"(FAILED|ERROR) tests/|\bE   |fatal: |\[ERROR\]|(^|\| )ERROR|^molecule: (?!.* passes \()|^FATAL|^would reformat|Error: "
    r"|^\S+:\d+:\d+: "
)
TEST = re.compile(r"(FAILED|ERROR) tests/")
SHOWN_LINES = 12
SHOWN_CHARACTERS = 300  # of a line


def reasons(lines: list[str]) -> list[str]:
    """The last lines that tell why a gate failed, each once; the tests that failed come last, and are left out last."""
    telling = [line.strip() for line in lines if TELLING.search(line.strip())]
    once = list(dict.fromkeys(line[:SHOWN_CHARACTERS] for line in telling))
    tests = [line for line in once if TEST.search(line)]
    others = [line for line in once if not TEST.search(line)]
    return (others + tests)[-SHOWN_LINES:]


@dataclass
class Gate:
    """One gate, and how it went: whether it passed, its lines, and how many seconds it took."""

    name: str
    passed: bool
    lines: list[str]
    seconds: float


def run(gates: list[str], prefixed: bool) -> list[Gate]:
    """Run one gate after the other; where others run beside them, each line begins with its gate's name."""
    ended = []
    for name in gates:
        print(f"\n=== {name} ===", flush=True)
        begin = time.monotonic()
        status, lines = follow(["make", name], prefix=f"{name} | " if prefixed else "")
        ended.append(Gate(name, status == 0, lines, time.monotonic() - begin))
    return ended


def main() -> int:
    """Run `make GATE` for each; the exit status is 1 when one of them failed."""
    gates: list[Gate] = []
    begin = time.monotonic()
    for step in sys.argv[1:]:
        lanes = [lane.split(",") for lane in step.split("+")]
        with ThreadPoolExecutor(len(lanes)) as pool:
            for ended in pool.map(lambda lane: run(lane, prefixed=len(lanes) > 1), lanes):
                gates += ended
    print("\n=== gates ===")
    for gate in gates:
        for line in [] if gate.passed else reasons(gate.lines):
            print(f"{gate.name}: {line}")
    for gate in gates:
        print(f"{gate.name:10} {'passed' if gate.passed else 'FAILED'} {gate.seconds:7.0f} s")
    failed = sum(not gate.passed for gate in gates)
    print(f"{len(gates) - failed} passed, {failed} failed, {time.monotonic() - begin:.0f} s", flush=True)
    return 1 if failed or not gates else 0


if __name__ == "__main__":
    sys.exit(main())
