# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls and files written as one transaction: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

Files = t.Mapping[str, t.Optional[_files.State]]
"""Files as they are to be, by real path; None: not there."""


class KernelError(Exception):
    """What went wrong and what to do next; never contains a cookie key."""


def below(root: str, path: str) -> str:
    """An absolute path under ``root``, which is / but in tests."""
    return os.path.join(root, path.lstrip("/"))


def apply(sysctls: t.Mapping[str, str], files: Files, root: str = "/") -> None:
    """Write files, then sysctls, and read the latter back; undo everything and raise KernelError if any of it fails."""
    proc = below(root, "proc")
    with contextlib.ExitStack() as undo:
        try:
            for path, state in files.items():
                undo.callback(_quietly, _files.restore, path, _files.read(path))
                _files.restore(path, state)
            for name, value in sysctls.items():
                before = _proc.read_sysctl(name, proc)
                if before is not None and not is_unset_key(name, before):
                    undo.callback(_quietly, _proc.write_sysctl, name, before, proc)
                _proc.write_sysctl(name, value, proc)
                if _proc.read_sysctl(name, proc) != value:
                    raise KernelError(f"The kernel did not keep the value written to {name}. Nothing was changed.")
        except OSError as error:
            raise refused(error) from error
        undo.pop_all()


def refused(error: OSError) -> KernelError:
    """What to say where the system does not let us write."""
    return KernelError(
        f"{error.filename or 'A sysctl'} cannot be written: {error.strerror}. Nothing was changed. Run it as root"
        " (become: true); in a container /proc/sys/net must be writable."
    )


def is_unset_key(name: str, value: str) -> bool:
    """Whether it is a key that reads zeros: there is none. To write zeros would set a key that everybody knows."""
    return name == _proc.FASTOPEN_KEY and not set(value) - set("0-, ")


def _quietly(step: t.Callable[..., None], *arguments: t.Any) -> None:
    with contextlib.suppress(OSError):  # what cannot be written could not be changed either
        step(*arguments)
