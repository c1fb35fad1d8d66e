# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and writing of /proc/sys."""

from __future__ import annotations

import os

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

FASTOPEN = "net.ipv4.tcp_fastopen"
FASTOPEN_KEY = "net.ipv4.tcp_fastopen_key"
BLACKHOLE_TIMEOUT = "net.ipv4.tcp_fastopen_blackhole_timeout_sec"
MAX_SYN_BACKLOG = "net.ipv4.tcp_max_syn_backlog"
SYNCOOKIES = "net.ipv4.tcp_syncookies"
SOMAXCONN = "net.core.somaxconn"


def sysctl_path(name: str, proc: str = "/proc") -> str:
    """Return the file of a sysctl named with dots, such as net.ipv4.tcp_fastopen."""
    return os.path.join(proc, "sys", *name.split("."))


def read_sysctl(name: str, proc: str = "/proc") -> str | None:
    """Return a sysctl's text without its newline, None where this kernel lacks it; PermissionError is passed on."""
    try:
        return _ascii.strip(_ascii.read(sysctl_path(name, proc)))
    except FileNotFoundError:
        return None


def write_sysctl(name: str, value: str, proc: str = "/proc") -> None:
    """Write a sysctl in one write(2); OSError with the kernel's errno where it is refused."""
    descriptor = os.open(sysctl_path(name, proc), os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, _ascii.raw(f"{value}\n"))
    finally:
        os.close(descriptor)
