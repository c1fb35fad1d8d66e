# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard costs a host: CPU and memory of a tick and of a full look, beside a Python that does nothing.

By the kernel's account of processes (getrusage(2)), in turn, so that whatever else this machine does slows all alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _metrics, _run, _tick
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _program

INTERVAL = 30
MOST_CORE = 0.001
MOST_MEGABYTES = 20


METER = (
    "import os, sys; quiet = [(os.POSIX_SPAWN_OPEN, 1, '/dev/null', os.O_WRONLY, 0)];"
    " pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet); _, status, used = os.wait4(pid, 0);"
    " print(status, used.ru_utime + used.ru_stime, used.ru_maxrss)"
)
"""A small parent: the kernel counts the memory of the process that starts another one as the other one's, too."""


def measured(command: list[str]) -> tuple[float, float]:
    """Milliseconds of CPU and peak megabytes of a command that succeeds."""
    done = subprocess.run(
        [command[0], "-I", "-S", "-c", METER, *command], check=True, stdout=subprocess.PIPE, text=True
    )
    status, seconds, kilobytes = done.stdout.split()
    assert status == "0", command
    return 1000 * float(seconds), int(kilobytes) / 1024


def commands(folder: Path, python: str) -> dict[str, list[str]]:
    """A tick that finds nothing, with metrics; a full look, on a host under no TFO; and a Python that does nothing."""
    tick, program = folder / "guard", folder / "fastopen"
    program.write_bytes(_program.build(_cli.__name__))
    text = Path(_tick.__file__).read_text(encoding="utf-8")
    tick.write_text(
        text.replace(os.path.dirname(_tick.STATE), str(folder / "run")).replace(_tick.PROGRAM, str(program))
    )
    now = time.time()
    kept = {
        "at": now,
        "acked": 0,
        "lost": 0,
        "level": 0.0,
        "threshold": 1e9,
        "not_before": 0.0,
        "look_at": now + 999,
        "blind": 0,
    }
    _tick.write({**kept, "watched": 1, "signature": _tick.signature()}, str(folder / "run" / "tick"))
    stages = {"client": "send", "server": "accept"}
    facts = _metrics.Facts(
        version="",
        kernel="",
        now=now,
        stages=stages,
        intended=stages,
        changed=dict.fromkeys(stages, now),
        counters={},
        undone=[],
        reverts=0,
        watching=True,
        paused=False,
        boot_agrees=True,
        kill_switch=False,
        problems=0,
    )
    (folder / _metrics.NAME).write_text(_metrics.render(facts))
    isolated = [python, "-I", "-S"]
    return {
        "python3 -I -S -c pass": [*isolated, "-c", "pass"],
        "tick": [*isolated, str(tick), f"--textfile={folder}"],
        "full look": [*isolated, str(program), "status"],
    }


def here(count: int, python: str) -> bool:
    """The table of this machine; whether the goals are met."""
    with tempfile.TemporaryDirectory() as scratch:
        known = commands(Path(scratch), python)
        made: dict[str, list[tuple[float, float]]] = {name: [] for name in known}
        for _number in range(count):
            for name, command in known.items():
                made[name].append(measured(command))
    print(f"{'':<24}{'CPU ms':>8}{'peak MB':>9}")
    cost = {}
    for name, rows in made.items():
        cost[name], peak = (statistics.median(column) for column in zip(*rows))
        print(f"{name:<24}{cost[name]:>8.1f}{peak:>9.1f}")
    core = cost["tick"] / INTERVAL / 1000 + cost["full look"] / _run.LOOK_SECONDS / 1000
    print(f"a tick every {INTERVAL} s and a look every {_run.LOOK_SECONDS:.0f} s: {100 * core:.3f} % of a core")
    peaks = [statistics.median(row[1] for row in made[name]) for name in ("tick", "full look")]
    return core < MOST_CORE and max(peaks) < MOST_MEGABYTES


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="how often each is run (default: 20)")
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter (default: the distribution's)")
    arguments = parser.parse_args()
    return 0 if here(arguments.count, arguments.python) else 1


if __name__ == "__main__":
    sys.exit(main())
