# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of a host at a time: /run/fastopen/lock, by flock(2), which ends with the process that has it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _folders
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record

SECONDS = 120.0
"""Longer than any change that holds it: restarts, and a request of each kind."""


@contextlib.contextmanager
def hold() -> t.Iterator[None]:
    """Hold the host's lock. Raises RecordError where somebody else holds it for too long."""
    path = f"{_record.RUN_FOLDER}/lock"
    deadline = time.monotonic() + SECONDS
    handle = _try(path)
    while handle is None:
        if time.monotonic() > deadline:
            raise _record.RecordError(f"{path} is held for {SECONDS:.0f} s: `fuser {path}` tells by whom")
        time.sleep(0.05)
        handle = _try(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # nothing is left where nothing else is kept; whoever waits makes it anew
            if os.listdir(_record.RUN_FOLDER) == ["lock"]:
                os.unlink(path)
                os.rmdir(_record.RUN_FOLDER)
        os.close(handle)


def _try(path: str) -> t.Optional[int]:
    """The descriptor of the locked file; None where somebody has it, or removed it meanwhile."""
    try:
        _folders.make(os.path.dirname(path), 0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except (FileExistsError, FileNotFoundError):  # the folder went in between
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None
