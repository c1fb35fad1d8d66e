# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running Shadowsocks programs that use TCP Fast Open, and so die or fail when the kernel stops to send SYN data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process

_PROGRAMS = frozenset("ss-server ss-local ss-redir ss-tunnel ss-manager sslocal ssserver ssmanager ssservice".split())
_FLAGS = frozenset(("--fast-open", "--tcp-fast-open"))  # libev; shadowsocks-rust has both
# shadowsocks-libev takes a JSON boolean only, shadowsocks-rust reads JSON5: comments, bare keys
_CONFIG = re.compile(r"""["']?\bfast_open["']?\s*:\s*true\b""")

_MOST_ARGUMENTS = 65536  # bytes


class FastOpenProcess(NamedTuple):
    """A process and why it is held to use TCP Fast Open."""

    pid: int
    program: str
    reason: str


def find(proc: str = "/proc") -> list[FastOpenProcess]:
    """Return the Shadowsocks processes of this network namespace that use TCP Fast Open, or may.

    A process whose config changed after its start may still run with the old one. What this user may not read
    does not count: only root sees every config.
    """
    return list(_find(proc))


def _find(proc: str) -> Iterator[FastOpenProcess]:
    namespace = _network_namespace(proc, "self")
    for pid in filter(str.isdigit, os.listdir(proc)):
        argv = _argv(proc, pid)
        program = os.path.basename(argv[0]) if argv else ""
        if program not in _PROGRAMS or _network_namespace(proc, pid) not in (namespace, None):
            continue
        reason = "--fast-open in its arguments" if _FLAGS.intersection(argv) else _config_reason(proc, pid, argv)
        if reason is not None:
            yield FastOpenProcess(int(pid), program, reason)


def _argv(proc: str, pid: str) -> list[str]:
    """Return a process's arguments; empty for a kernel thread and for one that is gone."""
    try:
        descriptor = os.open(f"{proc}/{pid}/cmdline", os.O_RDONLY)  # thrice as fast as open(), for every process
    except OSError:
        return []
    try:
        return os.fsdecode(os.read(descriptor, _MOST_ARGUMENTS)).split("\0")
    except OSError:
        return []
    finally:
        os.close(descriptor)


def _network_namespace(proc: str, pid: str) -> str | None:
    """Return the name of a process's network namespace, None where this user may not see it."""
    try:
        return os.readlink(os.path.join(proc, pid, "ns", "net"))
    except OSError:
        return None


def _config_reason(proc: str, pid: str, argv: list[str]) -> str | None:
    """Return why a process's config makes it use TCP Fast Open, None where it does not or cannot be read."""
    config = _config_path(argv)
    if config is None:
        return None
    seen = os.path.join(proc, pid, "root" if config.startswith("/") else "cwd", config.lstrip("/"))
    try:
        with open(seen, encoding="utf-8", errors="replace") as file:
            text = file.read()
        changed = os.stat(seen).st_mtime
    except OSError:
        return None
    if _CONFIG.search(text):
        return f"fast_open is true in {config}"
    process = _process.read(int(pid), proc)
    if process is not None and changed > process.started:
        return f"{config} changed after its start, so it may still use TCP Fast Open; restart it"
    return None


def _config_path(argv: list[str]) -> str | None:
    """Return the argument of -c or --config."""
    for option, value in zip(argv, argv[1:] + [""]):
        if option in ("-c", "--config"):
            return value or None
        if option.startswith("--config="):
            return option.partition("=")[2] or None
        if option.startswith("-c"):
            return option[2:]
    return None
