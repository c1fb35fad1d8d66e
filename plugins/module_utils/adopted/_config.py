# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a process that runs, its config read as that process would find it."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _libev, _rust, _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _ss_arguments, _ss_processes

_READERS = {_ss_arguments.LIBEV: _libev.settings, _ss_arguments.RUST: _rust.settings}
_NEITHER = "it is no program of shadowsocks-libev or shadowsocks-rust"


def settings(pid: int, argv: t.Sequence[str], proc: str = "/proc") -> tuple[_settings.Settings, float]:
    """What a process with these arguments has been told, and when its config changed last (0.0 without one).

    Raises NotUnderstood, also where the config cannot be read.
    """
    command = _ss_arguments.parse(argv, _ss_processes.executable(proc, str(pid)))
    if command is not None and command.role == "manager":
        raise _settings.NotUnderstood(f"{command.program} starts its servers itself, so no drop-in of theirs can be")
    if command is None or command.family not in _READERS:
        client = command is not None and command.role != "server"
        remedy = "only their clients can be adopted" if client else "adopt it with its port, as any server program"
        raise _settings.NotUnderstood(f"{_NEITHER}: {remedy}")
    found, changed = command, 0.0

    def read(path: t.Optional[str]) -> bytes:
        nonlocal changed
        if path is None:
            path = _ss_processes.default_config(proc, str(pid), found)
        raw, changed = _ss_processes.read(_ss_processes.place(proc, str(pid), path or ""))
        return raw

    def variable(name: str) -> t.Optional[str]:
        value = _ss_processes.environment(proc, str(pid)).get(name)
        return value if value is not None and _ascii.is_utf8(value) else None

    try:
        return _READERS[command.family](command, read, variable), changed
    except OSError as error:
        raise _settings.NotUnderstood(f"its config cannot be read ({error.strerror})") from None
    except ValueError:  # a path that this locale cannot name, or with a NUL in it
        raise _settings.NotUnderstood("its config cannot be read: its path is none here") from None
