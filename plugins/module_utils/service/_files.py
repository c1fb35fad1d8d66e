# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as they are on the host: read whole, written atomically, kept and put back exactly."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import stat
import typing as t


class State(t.NamedTuple):
    """A file or symbolic link: ``content`` is the bytes, or the link's target. ``mtime`` is seconds since the epoch."""

    content: bytes
    mode: int
    uid: int
    gid: int
    link: bool = False
    mtime: float = 0.0


def read(path: str) -> t.Optional[State]:
    """The file or link at path, or None where there is none."""
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(info.st_mode):
        return State(os.readlink(os.fsencode(path)), 0o777, info.st_uid, info.st_gid, True, info.st_mtime)
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    # What somebody put in its place meanwhile is not followed, and a pipe is not waited for.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        return State(stream.read(), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, False, info.st_mtime)


def write(path: str, content: bytes, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Put the file there whole or not at all. Raises OSError with the path, which the kernel does not tell of a full disk."""
    prepare(path, content, mode, uid, gid)
    try:
        put(path)
    except BaseException:
        remove(temporary(path))
        raise


def prepare(path: str, content: bytes, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Write it beside its place, synced, for `put`: what may fail of several files has failed before the first is changed.

    Its name is always the same, so that what a killed run has left of it is overwritten, or found by `temporary`.
    """
    half = temporary(path)
    try:
        remove(half)
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fchown(stream.fileno(), uid, gid)
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
        except BaseException:
            remove(half)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def put(*paths: str) -> None:
    """Give what was prepared its name: all of them, and only then is anything waited for."""
    for path in paths:
        try:
            os.rename(temporary(path), path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error
    for folder in sorted({os.path.dirname(path) for path in paths}):
        sync_folder(folder)


def temporary(path: str) -> str:
    """Where a file is written before it gets its name."""
    folder, name = os.path.split(path)
    return f"{folder}/.{name}.fastopen-new"


def set_attributes(path: str, mode: int, uid: int, gid: int) -> None:
    """Mode and owner only: the time of the last change stays, so that no reader looks older than the file.

    Of the file itself: a link that somebody else put in its place meanwhile is refused with ELOOP.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def link(path: str, target: str) -> None:
    """Make path a symbolic link to target, in one step."""
    half = temporary(path)
    remove(half)
    os.symlink(target, half)
    os.rename(half, path)


def remove(path: str) -> None:
    """Remove the file or link if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def hide(path: str) -> None:
    """Take the file or link out of use if it is there; it is found by `temporary` until it is removed."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, temporary(path))


def restore(path: str, state: t.Optional[State]) -> None:
    """Put path back as it was read; None means that there was nothing. Of a file with the same content the time stays."""
    now = read(path)
    if same(now, state):
        return
    if state is None:
        remove(path)
    elif now is not None and not (now.link or state.link) and now.content == state.content:
        set_attributes(path, state.mode, state.uid, state.gid)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if state.link:
            link(path, os.fsdecode(state.content))
            return
        write(path, state.content, state.mode, state.uid, state.gid)


def same(one: t.Optional[State], other: t.Optional[State]) -> bool:
    """Equal but for the time of the last change."""
    return one == other if one is None or other is None else one[:5] == other[:5]


def sync_folder(folder: str) -> None:
    """Make a rename in the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def dump(state: t.Optional[State]) -> t.Any:
    """The state for a JSON file."""
    if state is None:
        return None
    return {**state._asdict(), "content": base64.b64encode(state.content).decode()}


def load(kept: t.Any) -> t.Optional[State]:
    """The state out of a JSON file."""
    return None if kept is None else State(**{**kept, "content": base64.b64decode(kept["content"])})
