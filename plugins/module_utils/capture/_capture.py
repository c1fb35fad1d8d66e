# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcpdump over the SYNs of a host's Shadowsocks services, while something goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.capture import _pcap

MOST_PACKETS = 20_000
READY_SECONDS = 5.0
_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CaptureError(Exception):
    """Nothing could be captured; the message says what to do."""


def expression(ports: t.Collection[int]) -> str:
    """What tcpdump keeps: SYNs, their answers, and resets, from and to these ports. `tcp[]` never matches IPv6."""
    named = " or ".join(f"tcp port {port}" for port in sorted(ports))
    return f"({named}) and (tcp[13] & 6 != 0 or (ip6 and ip6[6] == 6 and ip6[53] & 6 != 0))"


def record(path: str, ports: t.Collection[int], seconds: float, meanwhile: t.Callable[[], None]) -> None:
    """Capture into the new file ``path`` for so many seconds at least; ``meanwhile`` is called once tcpdump listens, and is
    waited for. Raises CaptureError, OSError."""
    program = shutil.which("tcpdump", path=_FOLDERS)
    if program is None:
        raise CaptureError("there is no tcpdump on this host: install it for the time of the capture")
    command = [program, "-i", "any", "-n", "-p", "-U", "--immediate-mode", "-s", str(_pcap.SNAP_LENGTH)]
    command += ["-c", str(MOST_PACKETS), "-Z", "root", "-w", path, expression(ports)]
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    end = time.monotonic() + seconds
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _wait_until_it_listens(process, path)
            meanwhile()
            time.sleep(max(end - time.monotonic(), 0.0))
        finally:
            process.terminate()


def _wait_until_it_listens(process: subprocess.Popen[bytes], path: str) -> None:
    """The file has its header once the filter is in place."""
    deadline = time.monotonic() + READY_SECONDS
    while os.path.getsize(path) == 0:
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            words = process.stderr.read().decode(errors="replace").split("\n") if process.stderr else []
            raise CaptureError(
                f"tcpdump does not listen: {next((one for one in words if one.strip()), 'no word of it')}"
            )
        time.sleep(0.05)
