# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program's output, passed on as it comes and read along."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from with_tools import CHECKOUT

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def follow(command: list[str], environment: Mapping[str, str] | None = None, prefix: str = "") -> tuple[int, list[str]]:
    """Run a command in the checkout; return its exit status and all its lines, without colours.

    ``prefix`` stands before each line as it is passed on.
    """
    lines = []
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{prefix}{line}", end="", flush=True)
            lines.append(COLOURS.sub("", line.rstrip()))
    return process.returncode, lines
