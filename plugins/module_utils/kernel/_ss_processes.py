# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running Shadowsocks programs that use TCP Fast Open, and so die or fail when the kernel stops to send SYN data."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _ss_arguments, _ss_config
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process

_MOST_BYTES = 1024 * 1024  # of a config; shadowsocks-libev reads 128 KiB
_ARGUMENTS_AT_ONCE = 65536  # bytes
_MOST_LINKS = 40  # path_resolution(7)
_PID = re.compile("[0-9]+")
MAY = "so it may use TCP Fast Open"
"""The end of the reason of a process that may, and of which no more is known."""


class FastOpenProcess(NamedTuple):
    """A process and why it is held to use TCP Fast Open."""

    pid: int
    program: str
    reason: str


def find(proc: str = "/proc") -> list[FastOpenProcess]:
    """Return the Shadowsocks processes of this network namespace that use TCP Fast Open, or may.

    A process whose config changed after its start may still run with the old one, and one whose config cannot be read
    or understood may use anything. What a user other than root may not read does not count.
    """
    return list(_find(proc))


def _find(proc: str) -> Iterator[FastOpenProcess]:
    for pid, argv, command in running(proc):
        reason = _reason(proc, pid, command)
        if reason is not None and _argv(proc, pid) == argv:  # it has not gone meanwhile
            yield FastOpenProcess(int(pid), command.program, reason)


def running(proc: str) -> Iterator[tuple[str, list[str], _ss_arguments.Command]]:
    """Yield the Shadowsocks processes of this network namespace: pid, arguments, and what these say."""
    namespace = _network_namespace(proc, "self")
    for pid in filter(_PID.fullmatch, os.listdir(proc)):
        argv = _argv(proc, pid)
        command = _ss_arguments.parse(argv, executable(proc, pid)) if argv else None
        if command is not None and _network_namespace(proc, pid) in (namespace, None):
            yield pid, argv, command


def _argv(proc: str, pid: str) -> list[str]:
    """Return a process's arguments; empty for a kernel thread and for one that is gone."""
    try:
        descriptor = os.open(f"{proc}/{pid}/cmdline", os.O_RDONLY)  # thrice as fast as open(), for every process
    except OSError:
        return []
    try:
        part = raw = os.read(descriptor, _ARGUMENTS_AT_ONCE)
        while len(part) == _ARGUMENTS_AT_ONCE:
            part = os.read(descriptor, _ARGUMENTS_AT_ONCE)
            raw += part
        return _process.arguments(raw)
    except OSError:
        return []
    finally:
        os.close(descriptor)


def executable(proc: str, pid: str) -> str:
    """Return the path of the file that runs, also where an upgrade has replaced it; empty where it may not be seen."""
    link = _link(f"{proc}/{pid}/exe")
    return link[: -len(" (deleted)")] if link.endswith(" (deleted)") else link


def _network_namespace(proc: str, pid: str) -> str | None:
    """Return the name of a process's network namespace, None where this user may not see it."""
    return _link(os.path.join(proc, pid, "ns", "net")) or None


def _reason(proc: str, pid: str, command: _ss_arguments.Command) -> str | None:
    """Return why a process is held to use TCP Fast Open, None where it does not, or where this user may not know."""
    if command.flag:
        return "--fast-open in its arguments"
    if command.doubt:
        return f"its option {_ascii.shown(command.doubt)} is not known here, {MAY}"
    config = command.config
    try:
        if config is None and command.default:
            config = default_config(proc, pid, command)
        return None if config is None else _config_reason(proc, pid, config, command)
    except (OSError, ValueError) as error:  # ValueError: a path that this locale cannot name
        if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
            return None
        what = "its environment" if config is None else _ascii.shown(config) or "a config without a name"
        return f"{what} cannot be read ({getattr(error, 'strerror', error)}), {MAY}"


def _config_reason(proc: str, pid: str, config: str, command: _ss_arguments.Command) -> str | None:
    """Return why a config makes its process use TCP Fast Open. Raises OSError."""
    raw, changed = read(place(proc, pid, config))
    found = _ss_config.fast_open(raw, truthy=command.family == _ss_arguments.PYTHON)
    shown = _ascii.shown(config)
    if found:
        return f"fast_open is true in {shown}"
    if found is None:
        return f"{shown} is not understood, {MAY}"
    process = _process.read(int(pid), proc)
    if process is not None and process.older_than(changed):
        return f"{shown} changed after its start, so it may still use TCP Fast Open; restart it"
    return None


def default_config(proc: str, pid: str, command: _ss_arguments.Command) -> str | None:
    """Return the config that a program finds by itself, None where it runs without one. Raises OSError.

    shadowsocks-libev: get_default_conf() in src/utils.c; shadowsocks-rust: get_default_config_path() in src/config.rs;
    Python: find_config() in shadowsocks/shell.py.
    """
    if command.family == _ss_arguments.PYTHON:
        folder = os.path.dirname(command.script)
        folders = ["", *([folder, os.path.join(folder, "..")] if command.script else [])]
    else:
        variables = environment(proc, pid)
        home = variables.get("XDG_CONFIG_HOME", variables.get("HOME", "") + "/.config")
        if command.family == _ss_arguments.LIBEV:
            folders = [f"{home}/shadowsocks-libev", "/etc/shadowsocks-libev"]
        else:
            shared = variables.get("XDG_CONFIG_DIRS") or "/etc/xdg"
            folders = ["", *(f"{base}/shadowsocks-rust" for base in (home, *shared.split(":"), "/etc"))]
    paths = [os.path.join(folder, name) for folder in folders for name in command.names]
    found = next((path for path in paths if os.path.lexists(place(proc, pid, path))), None)
    # Of shadowsocks-libev this is the last resort: without it the program would have ended at once.
    return paths[-1] if found is None and command.family == _ss_arguments.LIBEV else found


def environment(proc: str, pid: str) -> dict[str, str]:
    """Return the environment that a process was started with. Raises OSError."""
    with open(f"{proc}/{pid}/environ", "rb") as stream:
        pairs = (entry.partition("=") for entry in _ascii.text(stream.read()).split("\0"))
        return {name: value for name, _equals, value in pairs}


def place(proc: str, pid: str, path: str) -> str:
    """Return where this process finds another one's path: below that one's root and folder, its links followed there.

    Through /proc/PID/root alone an absolute link would lead to a file of ours (path_resolution(7)). A root without
    CAP_SYS_PTRACE, as in a container, may not look there (proc(5)): what it sees runs beside it, so its own root serves.
    """
    root = os.path.join(proc, pid, "root")
    if path.startswith("/") and _is_hidden(root):
        return path
    place = root if path.startswith("/") else os.path.join(proc, pid, "cwd")
    rest, links = path.split("/")[::-1], 0
    while rest:
        name = rest.pop()
        if name in ("", ".") or (name == ".." and place == root):
            continue
        if name == ".." and place.startswith(f"{root}/"):
            place = os.path.dirname(place)
            continue
        place = os.path.join(place, name)
        target = _link(place) if name != ".." else ""
        if target:
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            place = root if target.startswith("/") else os.path.dirname(place)
            rest += target.split("/")[::-1]
    return place


def _is_hidden(root: str) -> bool:
    """Whether it is there, but not for this user."""
    try:
        os.stat(root)
    except PermissionError:
        return os.geteuid() == 0
    except OSError:
        return False
    return False


def _link(path: str) -> str:
    """Return where a link leads, nothing where there is none to be seen."""
    try:
        return os.readlink(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ""


def read(path: str) -> tuple[bytes, float]:
    """Return a config and the time of its last change. Raises OSError, also for a pipe, whose content is gone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _MOST_BYTES:
            raise OSError(errno.EINVAL, "no file, or too large")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(_MOST_BYTES), info.st_mtime
    finally:
        os.close(descriptor)
