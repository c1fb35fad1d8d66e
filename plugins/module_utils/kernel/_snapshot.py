# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings of the kernel were before the first change, and how that is kept on the host."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders


class File(t.NamedTuple):
    """What stood in a file: its lines for a sysctl, by name, and its mode before a key came in (None: none came).
    ``ours``: by name the mark of the value that our line has in their place."""

    lines: dict[str, list[str]]
    mode: t.Optional[int]
    ours: dict[str, str]


class Snapshot(t.NamedTuple):
    """Before the first change: the text of sysctls by name, and files by path. ``ours``: marks of what we last set sysctls to."""

    sysctls: dict[str, str]
    files: dict[str, File]
    ours: dict[str, str]


def mark(name: str, value: str) -> str:
    """By what a value of ours is told again: of a cookie key, which stays in one place, its digest."""
    return hashlib.sha256(value.encode()).hexdigest() if name == _proc.FASTOPEN_KEY else value


def load(path: str) -> t.Optional[Snapshot]:
    """The snapshot at ``path``, None where there is none. Raises KernelError where it is damaged, or not to be trusted."""
    refusal = _folders.refusal(os.path.dirname(path))
    if refusal:
        raise KernelError(refusal)
    state = _files.read(path)
    if state is None:
        return None
    try:
        data = json.loads(state.content)
        files = {
            name: File(dict(kept["lines"]), kept["mode"], {one: kept["ours"][one] for one in kept["lines"]})
            for name, kept in data["files"].items()
        }
        return Snapshot(dict(data["sysctls"]), files, {name: data["ours"][name] for name in data["sysctls"]})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KernelError(
            f"The snapshot {path} is damaged ({error}). Put it back from a backup, or delete it to keep the present"
            " state as the one to restore."
        ) from error


def dump(kept: t.Optional[Snapshot]) -> t.Optional[_files.State]:
    """The snapshot as a file that only its owner may read: it may hold a cookie key."""
    if kept is None:
        return None
    data = {**kept._asdict(), "files": {name: was._asdict() for name, was in kept.files.items()}}
    content = json.dumps(data, indent=1, sort_keys=True).encode() + b"\n"
    return _files.State(content, 0o600, os.geteuid(), os.getegid())
