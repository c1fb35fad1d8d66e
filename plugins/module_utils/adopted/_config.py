# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a process that runs, its config read as that process would find it."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_arguments, _ss_processes


def settings(pid: int, argv: t.Sequence[str], proc: str = "/proc") -> tuple[_settings.Settings, float]:
    """What a process with these arguments has been told, and when its config changed last (0.0 without one).

    Raises NotUnderstood, also where the config cannot be read.
    """
    changed = 0.0
    executable = _ss_processes.executable(proc, str(pid))

    def read(path: t.Optional[str]) -> bytes:
        nonlocal changed
        if path is None:
            command = _ss_arguments.parse(argv, executable)
            path = _ss_processes.default_config(proc, str(pid), command) if command else None
        raw, changed = _ss_processes.read(_ss_processes.place(proc, str(pid), path or ""))
        return raw

    try:
        found = _settings.of_libev(argv, executable, read)
    except OSError as error:
        raise _settings.NotUnderstood(f"its config cannot be read ({error.strerror})") from None
    except ValueError:  # a path that this locale cannot name, or with a NUL in it
        raise _settings.NotUnderstood("its config cannot be read: its path is none here") from None
    return found, changed
