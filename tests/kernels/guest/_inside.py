# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call a function in another network namespace or as another user, without a new program, which takes a second here."""

from __future__ import annotations

import ctypes
import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, linux/sched.h
NOBODY = 65534


def inside(namespace: str | None, function: Callable[..., Any], *arguments: Any, user: int = 0) -> Any:
    """What ``function`` returns there, in a process of its own; None is the namespace that this process is in.

    An exception there becomes a RuntimeError with its traceback.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            _enter(namespace, user)
            answer = (True, function(*arguments))
            status = 0
        except BaseException:
            answer = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(answer, stream)
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        good, value = pickle.load(stream)
    os.waitpid(pid, 0)
    if not good:
        raise RuntimeError(value)
    return value


def _enter(namespace: str | None, user: int) -> None:
    if namespace is not None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{namespace}", "rb") as there:
            if libc.setns(there.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns", namespace)
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
