# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders in which root keeps what it believes later: records, configs, programs. Nobody else may change what is in them."""

from __future__ import annotations

import os
import stat


class FolderError(OSError):
    """It is there and not to be trusted; the message says why, and what to do."""


def refusal(folder: str) -> str:
    """Why nothing of ours is read or written there: a link, or somebody else may change its entries; '' where it may be, and
    where there is none. Only the folder itself counts: where /var/lib as a whole is kept is the operator's affair."""
    try:
        info = os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISLNK(info.st_mode):
        return f"{folder} is a link to {os.readlink(folder)}, which is not followed: put a folder there, or take the link away"
    if not stat.S_ISDIR(info.st_mode):
        return f"{folder} is no folder: move it away"
    if info.st_uid not in (0, os.geteuid()):
        who = f"belongs to user {info.st_uid}"
    elif info.st_mode & 0o022:
        who = f"has mode {stat.S_IMODE(info.st_mode):04o}"
    else:
        return ""
    return (
        f"{folder} {who}, so that others than root can change what is in it: look at what that is, then"
        f" chown root {folder} && chmod go-w {folder}"
    )


def check(folder: str) -> None:
    """Raise FolderError where `refusal` has a reason."""
    why = refusal(folder)
    if why:
        raise FolderError(why)


def make(folder: str, mode: int) -> None:
    """Make the folder with this mode where there is none. Raises FolderError, OSError."""
    check(folder)
    os.makedirs(folder, mode=mode, exist_ok=True)
