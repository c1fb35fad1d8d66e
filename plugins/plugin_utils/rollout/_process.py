# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this, and whether that goes on."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """Who runs this, USER@MACHINE, as a host's claim names it too; by number where the user has no name here, as a
    container may be run by any."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # before Python 3.13, and from then on
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def process(pid: int) -> str:
    """A process by this machine's boot, its namespace of process ids and its id in there; '' where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            boot = stream.read().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')} {pid}"
    except OSError:
        return ""


def gone(told: str) -> bool:
    """Whether the process that ``process`` told of has ended; False where this machine cannot know of it."""
    try:
        pid = int(told.rpartition(" ")[2])
        if process(pid) == told:
            os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OverflowError, PermissionError, ValueError):  # somebody else's, or no process that could be one
        pass
    return False
