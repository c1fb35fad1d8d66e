# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the gates named in the arguments one after the other, all of them, and end with what failed and their count.

One at a time: the packet tests and Molecule's scenarios measure milliseconds, and would measure the other gates instead.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time

TELLING = re.compile(
    r"(FAILED|ERROR) tests/|\bE   |fatal: |\[ERROR\]|^ERROR|^molecule: |^FATAL|^would reformat|Error: |^\S+:\d+:\d+: "
)
SHOWN_LINES = 12
SHOWN_CHARACTERS = 600  # of a line
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def follow(gate: str) -> tuple[bool, list[str]]:
    """Run `make GATE` and pass its output on as it comes; return whether it passed, and the lines that tell why not."""
    telling: list[str] = []
    with subprocess.Popen(
        ["make", gate], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            plain = COLOURS.sub("", line).strip()
            if TELLING.search(plain):
                telling.append(plain[:SHOWN_CHARACTERS])
    return process.returncode == 0, list(dict.fromkeys(telling))[-SHOWN_LINES:]


def main() -> int:
    """Run `make GATE` for each; the exit status is 1 when one of them failed."""
    outcomes: list[tuple[str, bool, float]] = []
    reasons: list[str] = []
    for gate in sys.argv[1:]:
        print(f"\n=== {gate} ===", flush=True)
        begin = time.monotonic()
        passed, telling = follow(gate)
        outcomes.append((gate, passed, time.monotonic() - begin))
        reasons += [] if passed else [f"{gate}: {line}" for line in telling]
    print("\n=== gates ===")
    for line in reasons:
        print(line)
    for gate, passed, seconds in outcomes:
        print(f"{gate:10} {'passed' if passed else 'FAILED'} {seconds:7.0f} s")
    failed = sum(not passed for _gate, passed, _seconds in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
