# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running process is: its arguments and when it started."""

from __future__ import annotations

import os
import re
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_LISTENER = re.compile(
    " *[0-9]+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A (?:[^ ]+ [^ ]+ [^ ]+ +[0-9]+ +[0-9]+ ([0-9]{1,20}))?"
)
"""Port and inode of a row of /proc/net/tcp (get_tcp4_sock() in net/ipv4/tcp_ipv4.c)."""


class Process(t.NamedTuple):
    """A running process: its argv, the time of its start in seconds since the epoch, exact to one clock tick, and the path
    of its program where that file is another one by now, or gone: '' where it is not."""

    argv: list[str]
    started: float
    replaced: str = ""

    def older_than(self, changed: float) -> bool:
        """Whether it started before a file's last change. A time to come tells nothing, and no restart would mend it:
        somebody has set it so, or the clock was ahead."""
        return self.started + TICK_SECONDS < changed <= time.time()


def read(pid: int, proc: str = "/proc") -> t.Optional[Process]:
    """The process, or None where it is gone.

    The start is field 22 of /proc/PID/stat, in clock ticks after boot (proc(5)); CLOCK_BOOTTIME relates it to the
    wall clock better than /proc/stat's btime, which knows whole seconds only.
    """
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as stream:
            argv = arguments(stream.read())
        fields = _ascii.words(_ascii.read(f"{proc}/{pid}/stat").rpartition(")")[2])
    except (FileNotFoundError, ProcessLookupError):
        return None
    if len(fields) < 20:
        return None
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    started = time.time() - since_boot + _ascii.number(fields[19]) * TICK_SECONDS
    return Process(argv, started, _replaced(f"{proc}/{pid}/exe"))


def _replaced(link: str) -> str:
    try:
        program, deleted, _rest = os.readlink(link).partition(" (deleted)")  # d_path() in fs/d_path.c
    except OSError:
        return ""
    return program if deleted and not program.startswith("/memfd:") else ""


def arguments(raw: bytes) -> list[str]:
    """The argv in /proc/PID/cmdline: each ends with NUL, but for the title that a program wrote over it (proc(5))."""
    parts = _ascii.text(raw).split("\0")
    return parts if parts[-1] else parts[:-1]


def listening(port: int, proc: str = "/proc") -> bool:
    """Whether a TCP socket of this network namespace listens on the port."""
    return bool(listeners(port, proc))


def listeners(port: int, proc: str = "/proc") -> set[int]:
    """The inodes of the TCP sockets that listen on the port (state 0A in /proc/net/tcp and tcp6)."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = _ascii.lines(_ascii.read(f"{proc}/net/{table}"))[1:]
        except FileNotFoundError:
            continue
        for row in filter(None, map(_LISTENER.match, rows)):
            if int(row[1], 16) == port:
                found.add(int(row[2] or 0))
    return found
