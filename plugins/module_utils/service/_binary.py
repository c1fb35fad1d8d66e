# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that says which file a binary is: units start it, it is asked for --fast-open, and measured with."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import Implementation

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""Where systemd looks for a program without a path (systemd.exec(5)), whatever the PATH of whoever asks is."""


def find(binary: str) -> t.Optional[str]:
    """The binary's path, or None where it is not installed."""
    return shutil.which(binary, path=PATH)


def started(program: str, implementation: Implementation) -> str:
    """The path that a unit of the program gets, also before anything is installed."""
    binary = implementation.binaries[program]
    return find(binary) or os.path.join(implementation.folder, binary)


def installed(path: str) -> float:
    """When the file came to be there: dpkg gives it the time at which it was built, as tar does, but not that of its inode."""
    return os.stat(path).st_ctime


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
    told = done.stdout + done.stderr
    return any(one.fast_open_in_help in told for one in _implementations.BY_NAME.values())
