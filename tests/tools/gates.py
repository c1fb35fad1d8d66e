# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the gates named in the arguments one after the other, all of them, and end with their count.

One at a time: the packet tests and Molecule's scenarios measure milliseconds, and would measure the other gates instead.
"""

from __future__ import annotations

import subprocess
import sys
import time


def main() -> int:
    """Run `make GATE` for each; the exit status is 1 when one of them failed."""
    outcomes: list[tuple[str, bool, float]] = []
    for gate in sys.argv[1:]:
        print(f"\n=== {gate} ===", flush=True)
        begin = time.monotonic()
        passed = subprocess.run(["make", gate], check=False, stdin=subprocess.DEVNULL).returncode == 0
        outcomes.append((gate, passed, time.monotonic() - begin))
    print("\n=== gates ===")
    for gate, passed, seconds in outcomes:
        print(f"{gate:10} {'passed' if passed else 'FAILED'} {seconds:7.0f} s")
    failed = sum(not passed for _gate, passed, _seconds in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
