# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a host's own machine gives it: a full disk, a kernel that cannot be written. They end with the block.

And the middle of something: a service that is slow to stop or to start, and what happens meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

Shell = Callable[[str], str]
"""Runs a command on the host, and returns its output; it must succeed."""


@contextmanager
def full(shell: Shell, *folders: str) -> Iterator[None]:
    """No room in these folders: a small file system over each, with what was in it, and filled. What is there after it
    stays."""
    for folder in folders:
        kept = f"/root/under{folder}"
        shell(
            f"rm -rf {kept}; mkdir -p {kept} {folder} && cp -a {folder}/. {kept}/"
            f" && mount -t tmpfs -o mode=755,size=$(($(du -sk {kept} | cut -f1) + 64))k none {folder}"
            f" && cp -a {kept}/. {folder}/; dd if=/dev/zero of={folder}/full bs=1k 2>/dev/null;"
            f" dd if=/dev/zero of={folder}/full2 bs=1 2>/dev/null; test -s {folder}/full"
        )
    try:
        yield
    finally:
        for folder in folders:
            shell(
                f"rm -rf {folder}/full {folder}/full2 /root/under{folder}; mkdir -p /root/under{folder}"
                f" && cp -a {folder}/. /root/under{folder}/ && umount {folder} && find {folder} -mindepth 1 -delete"
                f" && cp -a /root/under{folder}/. {folder}/ && rm -rf /root/under && systemctl daemon-reload"
            )


@contextmanager
def read_only_kernel(shell: Shell) -> Iterator[None]:
    """As in a container that may not change its sysctls: /proc/sys can be read only."""
    shell(
        "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && ! sysctl -qw net.ipv4.tcp_fastopen=1"
    )
    try:
        yield
    finally:
        shell("umount /proc/sys")


def own(shell: Shell, unit: str, *lines: str) -> None:
    """A drop-in of somebody else, below ours, until the next boot."""
    folder = f"/run/systemd/system/{unit}.d"
    text = "\\n".join(("[Service]", *lines))
    shell(f"mkdir -p {folder} && printf '{text}\\n' > {folder}/00-own.conf && systemctl daemon-reload")


def own_gone(shell: Shell, unit: str) -> None:
    """Nor its folder; the unit runs as it did."""
    folder = f"/run/systemd/system/{unit}.d"
    shell(f"rm -rf {folder}/00-own.conf; rmdir {folder}; systemctl daemon-reload")


def begun(shell: Shell, unit: str, state: str, running: Future[Any]) -> None:
    """Wait until the unit is in this sub-state (`stop`, `start-pre`), which something that is ``running`` brings about."""
    while shell(f"systemctl show -P SubState {unit}").strip() != state:
        assert not running.done(), f"{unit} was never in {state}"
        time.sleep(0.1)
