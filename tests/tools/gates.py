# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the gates named in the arguments one after the other, all of them, and end with what failed and their count.

One at a time: the packet tests and Molecule's scenarios measure milliseconds, and would measure the other gates instead.
"""

from __future__ import annotations

import re
import sys
import time

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


def main() -> int:
    """Run `make GATE` for each; the exit status is 1 when one of them failed."""
    outcomes: list[tuple[str, bool, float]] = []
    shown: list[str] = []
    for gate in sys.argv[1:]:
        print(f"\n=== {gate} ===", flush=True)
        begin = time.monotonic()
        status, lines = follow(["make", gate])
        outcomes.append((gate, status == 0, time.monotonic() - begin))
        shown += [f"{gate}: {line}" for line in reasons(lines)] if status else []
    print("\n=== gates ===")
    for line in shown:
        print(line)
    for gate, passed, seconds in outcomes:
        print(f"{gate:10} {'passed' if passed else 'FAILED'} {seconds:7.0f} s")
    failed = sum(not passed for _gate, passed, _seconds in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
