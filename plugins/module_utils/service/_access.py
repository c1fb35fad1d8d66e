# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read the configs: the services' group, by the folder that they are in."""

from __future__ import annotations

import grp
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service

Folder = tuple[int, int, int]
"""Mode, owner and group."""


def group_id() -> t.Optional[int]:
    """The group that may read the configs, or None."""
    try:
        return grp.getgrnam(_service.GROUP).gr_gid
    except KeyError:
        return None


def folder() -> t.Optional[Folder]:
    """The folder of the configs, or None."""
    try:
        info = os.stat(_service.CONFIG_DIR)
    except FileNotFoundError:
        return None
    return info.st_mode & 0o7777, info.st_uid, info.st_gid


def readable(found: Folder, gid: t.Optional[int]) -> bool:
    """Whether the group may read what is in the folder."""
    mode, _uid, group = found
    return bool(mode & 0o001 or (group == gid and mode & 0o010))
