# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about TCP Fast Open on this host: the contract's `fastopen` dictionary."""

from __future__ import annotations

import os
import re
import socket

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _counters,
    _loopback,
    _problems,
    _proc,
    _ss_processes,
    _sysctl_files,
    _tfo_bits,
)

UNREADABLE = "unreadable"


def observe(root: str = "/") -> dict:
    """Return the whole `fastopen` dictionary; needs no privilege and changes no setting."""
    proc = os.path.join(root, "proc")
    bits = _number(_proc.FASTOPEN, proc)
    # Read before the loopback probe: its listener makes the kernel draw a random key where there is none.
    key = key_state(proc)
    facts = {
        "kernel_release": os.uname().release,
        "sysctl": None if bits is None else _tfo_bits.describe(bits),
        "boot": _boot(bits, root),
        "loopback": _loopback_verdicts(bits),
        "key": key,
        "key_file": _sysctl_files.boot_value(_proc.FASTOPEN_KEY, root).file,
        "syncookies": _number(_proc.SYNCOOKIES, proc),
        "blackhole_timeout_seconds": _number(_proc.BLACKHOLE_TIMEOUT, proc),
        "somaxconn": _number(_proc.SOMAXCONN, proc),
        "max_syn_backlog": _number(_proc.MAX_SYN_BACKLOG, proc),
        "counters": {name: count for name, count in _counters.read(proc).items() if name in _counters.NAMES},
        "processes": [process._asdict() for process in _ss_processes.find(proc)],
    }
    facts["problems"] = _problems.find(facts)
    return facts


def key_state(proc: str = "/proc") -> str | None:
    """Return `set`, `unset` (reads zeros) or `unreadable` (not root), None where this kernel has no key."""
    try:
        text = _proc.read_sysctl(_proc.FASTOPEN_KEY, proc)
    except PermissionError:
        return UNREADABLE
    if text is None:
        return None
    return "set" if re.search("[1-9a-fA-F]", text) else "unset"


def _number(name: str, proc: str) -> int | None:
    """Return a sysctl as a number, None where this kernel or network namespace lacks it."""
    text = _proc.read_sysctl(name, proc)
    return None if text is None else _tfo_bits.parse(text)


def _boot(bits: int | None, root: str) -> dict:
    """Return what the next boot sets net.ipv4.tcp_fastopen to, and whether that is the present value.

    Without any file it is the kernel's default, file None. `unreadable` where the deciding file may not be read.
    """
    found = _sysctl_files.boot_value(_proc.FASTOPEN, root)
    if found.unreadable is not None:
        return {"value": UNREADABLE, "file": found.unreadable, "agrees": None}
    try:
        value = _tfo_bits.DEFAULT if found.value is None else _tfo_bits.parse(found.value)
    except ValueError:
        value = None  # the kernel refuses it at boot
    return {"value": value, "file": found.file, "agrees": value is not None and value == bits}


def _loopback_verdicts(bits: int | None) -> dict[str, str]:
    """Return the verdict of the loopback probe per address family."""
    if bits is None:
        return {"ipv4": _loopback.UNSUPPORTED, "ipv6": _loopback.UNSUPPORTED}
    listen = bool(bits & _tfo_bits.ACCEPT)
    return {
        "ipv4": _loopback.probe(socket.AF_INET, listen),
        "ipv6": _loopback.probe(socket.AF_INET6, listen),
    }
