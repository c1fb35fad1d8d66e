# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring client's program is a copy in memory, which vm.memfd_noexec may forbid to start (a PID namespace's own)."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os, shutil, subprocess
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _temporary
try:
    copy = _temporary._executable_memory("true")
except _temporary.ClientError as error:
    raise SystemExit(str(error))
with open(shutil.which("true"), "rb") as source, open(copy, "wb", closefd=False) as target:
    shutil.copyfileobj(source, target)
subprocess.run(["true"], executable=f"/proc/self/fd/{copy}", pass_fds=[copy], check=True)
"""


@pytest.mark.parametrize(("noexec", "message"), [(0, ""), (1, ""), (2, "vm.memfd_noexec")])
def test_program_in_memory(noexec: int, message: str) -> None:
    """At 1 it wants a flag of its own; at 2 nothing in memory is ever started, and that is told (field: B3)."""
    command = f"echo {noexec} >/proc/sys/vm/memfd_noexec && exec {sys.executable} -"
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", command],
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (message == ""), done.stderr
    assert message in done.stderr
