# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running process is: its arguments and when it started."""

from __future__ import annotations

import os
import time
import typing as t

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


class Process(t.NamedTuple):
    """A running process: its argv and the time of its start in seconds since the epoch, exact to one clock tick."""

    argv: list[str]
    started: float


def read(pid: int, proc: str = "/proc") -> t.Optional[Process]:
    """The process, or None where it is gone.

    The start is field 22 of /proc/PID/stat, in clock ticks after boot (proc(5)); CLOCK_BOOTTIME relates it to the
    wall clock better than /proc/stat's btime, which knows whole seconds only.
    """
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as stream:
            argv = [part.decode(errors="replace") for part in stream.read().split(b"\0")[:-1]]
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Process(argv, time.time() - since_boot + int(fields[19]) * TICK_SECONDS)


def listening(port: int, proc: str = "/proc") -> bool:
    """Whether a TCP socket of this network namespace listens on the port (state 0A in /proc/net/tcp and tcp6)."""
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{table}", encoding="ascii") as stream:
                rows = [line.split() for line in stream.readlines()[1:]]
        except FileNotFoundError:
            continue
        if any(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows):
            return True
    return False
