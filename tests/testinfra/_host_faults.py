# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a host's own machine gives it: a full disk, a kernel that cannot be written. They end with the block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Shell = Callable[[str], object]
"""Runs a command on the host; it must succeed."""


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
