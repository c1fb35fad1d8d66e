# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that says which file a program is: units start it, it is asked for --fast-open, and measured with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""Where systemd looks for a program without a path (systemd.exec(5)), whatever the PATH of whoever asks is."""

PACKAGED = "/usr/bin"
"""Where the package will put what is not there yet."""


def find(program: str) -> t.Optional[str]:
    """The program's path, or None where it is not installed."""
    return shutil.which(program, path=PATH)


def started(program: str) -> str:
    """The path that a unit gets, also before the package is installed."""
    return find(program) or os.path.join(PACKAGED, program)


def knows_fast_open(path: str, *subcommand: str) -> bool:
    """Whether its help names --fast-open, or --tcp-fast-open, whose other name it is in shadowsocks-rust.

    ss-tunnel knows the option without naming it: ask ss-server or ss-local. ssservice has a help for each ``subcommand``.
    """
    try:
        done = subprocess.run(
            [path, *subcommand, "-h"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(rb"--(tcp-)?fast-open", done.stdout + done.stderr) is not None
