# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One kernel in qemu: no disk, no network, its console on this process's pipe."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

MEMORY_MB = 768
SECONDS = 1800  # 100 on a machine that does nothing else
_MACHINE = (
    "qemu-system-x86_64 -accel tcg -cpu qemu64,+rdrand -nodefaults -no-reboot -display none -serial stdio".split()
)
_ARGUMENTS = (
    "console=ttyS0 random.trust_cpu=on quiet loglevel=1 panic=-1 rdinit=/usr/bin/python3 -- /fastopen/guest/init.py"
)


def boot(kernel: Path, initramfs: Path, seen: Callable[[str], None]) -> None:
    """Boot, and give each line of the console to ``seen`` until the kernel is off, or has run for SECONDS."""
    files = ["-kernel", str(kernel), "-initrd", str(initramfs), "-append", _ARGUMENTS]
    command = [*_MACHINE, "-m", str(MEMORY_MB), *files]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as machine:
        limit = threading.Timer(SECONDS, machine.kill)
        limit.start()
        try:
            assert machine.stdout is not None
            for line in machine.stdout:
                seen(line.rstrip())
        finally:
            limit.cancel()
            machine.kill()
