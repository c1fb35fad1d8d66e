# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of sysctls and files as one transaction, with a snapshot that puts them back."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files


class KernelError(Exception):
    """What went wrong and what to do next; never contains a cookie key. `result` tells what had been changed."""

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class Snapshot(NamedTuple):
    """The text of sysctls and the state of files (None: there was none) before they were first changed."""

    sysctls: dict[str, str]
    files: dict[str, _files.State | None]


class Change(NamedTuple):
    """The text that sysctls and the state that files are to have, in the order in which they are written."""

    sysctls: Mapping[str, str]
    files: Mapping[str, _files.State | None]


def below(root: str, path: str) -> str:
    """Return an absolute path under `root`, which is / but in tests."""
    return os.path.join(root, path.lstrip("/"))


def load(path: str) -> Snapshot | None:
    """Return the snapshot at `path`, None where there is none."""
    state = _files.read(path)
    if state is None:
        return None
    try:
        data = json.loads(state.content)
        return Snapshot(data["sysctls"], {name: _files.load(kept) for name, kept in data["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KernelError(
            f"The snapshot {path} is damaged ({error}). Put it back from a backup, or delete it to keep the present"
            " state as the one to restore."
        ) from error


def extended(old: Snapshot | None, sysctls: Mapping[str, str], files: Mapping[str, _files.State | None]) -> Snapshot:
    """Return the snapshot with what it did not know yet; what it knows stays, since that is older."""
    old = old or Snapshot({}, {})
    return Snapshot({**sysctls, **old.sysctls}, {**files, **old.files})


def dump(snapshot: Snapshot) -> _files.State:
    """Return the snapshot as a file that only its owner may read: it may hold a cookie key."""
    data = {
        "sysctls": snapshot.sysctls,
        "files": {name: _files.dump(state) for name, state in snapshot.files.items()},
    }
    content = json.dumps(data, indent=1, sort_keys=True).encode() + b"\n"
    return _files.State(content, 0o600, os.geteuid(), os.getegid())


def apply(change: Change, root: str) -> None:
    """Write files, then sysctls, and read the latter back; undo everything and raise KernelError if any of it fails."""
    proc = below(root, "proc")
    undo: list[Callable[[], None]] = []
    try:
        for path, state in change.files.items():
            real = below(root, path)
            undo.append(_undo_file(real, _files.read(real)))
            _files.restore(real, state)
        for name, value in change.sysctls.items():
            undo.append(_undo_sysctl(name, _proc.read_sysctl(name, proc), proc))
            _proc.write_sysctl(name, value, proc)
            if _proc.read_sysctl(name, proc) != value:
                raise KernelError(f"The kernel did not keep the value written to {name}. Nothing was changed.")
    except (OSError, KernelError) as error:
        for step in reversed(undo):
            with contextlib.suppress(OSError):  # what cannot be written could not be changed either
                step()
        if isinstance(error, KernelError):
            raise
        raise KernelError(
            f"{error.filename or 'A sysctl'} cannot be written: {error.strerror}. Nothing was changed. Run it as root"
            " (become: true); in a container /proc/sys/net must be writable."
        ) from error


def _undo_file(path: str, state: _files.State | None) -> Callable[[], None]:
    return lambda: _files.restore(path, state)


def _undo_sysctl(name: str, value: str | None, proc: str) -> Callable[[], None]:
    return lambda: None if value is None or is_unset_key(name, value) else _proc.write_sysctl(name, value, proc)


def is_unset_key(name: str, value: str) -> bool:
    """Tell whether it is a key that reads zeros: there is none. To write zeros would set a key that everybody knows."""
    return name == _proc.FASTOPEN_KEY and not set(value) - set("0-, ")
