# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel has in /proc and takes by setsockopt: defaults, texts, keys, and what needs no privilege."""

from __future__ import annotations

import errno
import os
import socket

from _inside import NOBODY, inside
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc

NAMES = {
    name: getattr(_proc, name)
    for name in ("FASTOPEN", "FASTOPEN_KEY", "BLACKHOLE_TIMEOUT", "MAX_SYN_BACKLOG", "SYNCOOKIES", "SOMAXCONN")
}
BITS = (
    "1",
    "3",
    "4",
    "512",
    "513",
    "1027",
    "2048",
    "65535",
    "-1",
    "0xff",
    "010",
    " 3",
    "3 # on",
    "",
    "abc",
    "08",
    "+3",
    "3\t4",
)
K1, K2, K3 = "00000001-00000002-00000003-00000004", "0000000a-0000000b-0000000c-0000000d", "1-1-1-1"
KEYS = (K1, f"{K1},{K2}", f"{K1}, A-B-C-D", f"{K1},{K2},{K3}", K3, f"{K1},", "1-2-3", K1.replace("-", ""), "0-0-0-0")
OPTIONS = {"TCP_FASTOPEN": 23, "TCP_FASTOPEN_CONNECT": 30, "TCP_FASTOPEN_KEY": 33, "TCP_FASTOPEN_NO_COOKIE": 34}
RAW = (
    "net/netstat",
    "net/snmp",
    "net/tcp",
    "net/tcp6",
    "net/if_inet6",
    "net/fib_trie",
    "uptime",
    "1/stat",
    "1/status",
    "1/cgroup",
)


def defaults(namespace: str | None) -> dict[str, str | None]:
    """The sysctls' texts by name, None where there is none."""
    return inside(namespace, lambda: {name: _proc.read_sysctl(name) for name in NAMES.values()})


def modes() -> dict[str, str]:
    """The modes of the sysctls' files, as octal numbers."""
    return {name: f"{os.stat(_proc.sysctl_path(name)).st_mode & 0o777:o}" for name in NAMES.values()}


def kept(namespace: str, name: str, texts: tuple[str, ...]) -> dict[str, str]:
    """What each text reads back as, or the name of the error that answers it; the value before stays."""

    def write_all() -> dict[str, str]:
        before = _proc.read_sysctl(name)
        found = {}
        for text in texts:
            found[text] = _errno(_proc.write_sysctl, name, text) or _proc.read_sysctl(name)
        _proc.write_sysctl(name, before)
        return found

    return inside(namespace, write_all)


def options() -> dict[str, str]:
    """By socket option of TCP Fast Open: `ok`, or the name of the error that answers nobody's setsockopt."""

    def try_all() -> dict[str, str]:
        found = {}
        for name, number in OPTIONS.items():
            value = bytes(range(16)) if name == "TCP_FASTOPEN_KEY" else 1
            with socket.socket() as sock:
                found[name] = _errno(sock.setsockopt, socket.IPPROTO_TCP, number, value) or "ok"
        return found

    return inside(None, try_all, user=NOBODY)


def nobody() -> dict[str, str]:
    """What nobody may: read each sysctl, write the bits, read the counters; `ok` or the error's name."""

    def try_all() -> dict[str, str]:
        found = {f"read {name}": _errno(_proc.read_sysctl, name) or "ok" for name in NAMES.values()}
        found["write bits"] = _errno(_proc.write_sysctl, _proc.FASTOPEN, "1") or "ok"
        found["read counters"] = _errno(open, "/proc/net/netstat", "rb") or "ok"
        return found

    return inside(None, try_all, user=NOBODY)


def raw(namespace: str) -> dict[str, str]:
    """The texts of files of /proc that the collection reads, by name."""

    def read_all() -> dict[str, str]:
        found = {}
        for name in RAW:
            with open(f"/proc/{name}", encoding="ascii") as stream:
                found[name] = stream.read()
        return found

    return inside(namespace, read_all)


def _errno(function, *arguments) -> str | None:
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None
