# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our drop-ins on a host: below /run/systemd/system while a step is not confirmed, below /etc/systemd/system after that."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _files, _service

STEPPED = _service.RUN_UNIT_DIR
CONFIRMED = _service.UNIT_DIR
EDITED = "edited"
"""In place of the digest where somebody changed the file by hand: it has our mark, so it is renewed and goes like ours."""
_UNIT = re.compile(r"[^@]+(@.+)?\.service")
_MARK = re.compile(r"\A#.*\n# side=(server|client) below=[0-9a-f]{8}$", re.MULTILINE)


class DropIn(t.NamedTuple):
    """One unit's drop-in: the ``folders`` that hold it (STEPPED, CONFIRMED), its side, and the digest of what it repeats."""

    unit: str
    folders: tuple[str, ...]
    side: str
    digest: str


def path(unit: str, folder: str) -> str:
    """Where the drop-in of a unit is."""
    return f"{folder}/{unit}.d/{_exec_start.DROP_IN}"


def present() -> dict[str, DropIn]:
    """Every drop-in of ours, by unit. Of two, systemd takes the one in /etc, and so do we. A copy that somebody made for
    a template, or for all services, is not ours."""
    found: dict[str, DropIn] = {}
    for folder in (CONFIRMED, STEPPED):
        for file in sorted(glob.glob(f"{glob.escape(folder)}/*.d/{_exec_start.DROP_IN}")):
            unit = os.path.basename(os.path.dirname(file))[: -len(".d")]
            side, digest = _parse(file) if _UNIT.fullmatch(unit) else ("", "")
            if side and unit in found:
                found[unit] = found[unit]._replace(folders=(CONFIRMED, STEPPED))
            elif side:
                found[unit] = DropIn(unit, (folder,), side, digest)
    return found


def foreign(unit: str) -> t.Optional[str]:
    """The path of somebody else's file of the same name, which is in our way, or of a link in place of its folder, which
    may lead to another unit's; None where there is none."""
    for file in (path(unit, CONFIRMED), path(unit, STEPPED)):
        if os.path.islink(os.path.dirname(file)):
            return os.path.dirname(file)
        if os.path.lexists(file) and not _parse(file)[0]:
            return file
    return None


def write(unit: str, folder: str, below: _exec_start.Below, side: str) -> None:
    """Put the drop-in there, whole or not at all, with the strictest mode of what it repeats. Raises OSError."""
    file = path(unit, folder)
    if not os.path.isdir(os.path.dirname(file)):
        os.makedirs(os.path.dirname(file))
        os.chmod(os.path.dirname(file), 0o755)
    _files.write(file, _ascii.raw(_exec_start.drop_in(below, side)), below.mode)


def remove(unit: str, folder: str) -> None:
    """Take it away where it is ours, and its folder if nobody else keeps anything there. Raises OSError."""
    file = path(unit, folder)
    if _parse(file)[0]:
        _files.remove(file)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(file))


def remove_empty(unit: str) -> None:
    """Take the folders of a unit away that a killed call made and left empty."""
    for folder in (CONFIRMED, STEPPED):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path(unit, folder)))


def diff(unit: str, folder: str, below: t.Optional[_exec_start.Below], up: bool) -> dict[str, str]:
    """Ansible's diff of a drop-in that comes or goes. What it repeats may hold a password, so only its source is named."""
    source = f"ExecStart=(as in {below.setter})" if below else "ExecStart=(as in the unit)"
    file = path(unit, folder)
    without, with_flag = f"{source}\n", f"{source} {_exec_start.FLAG}\n"
    return {
        "before_header": file,
        "after_header": file,
        "before": without if up else with_flag,
        "after": with_flag if up else without,
    }


def _parse(file: str) -> tuple[str, str]:
    state = _files.read(file)
    if state is None or state.link:
        return "", ""
    text = _ascii.text(state.content)
    side, digest = _exec_start.parse_drop_in(text)
    mark = None if side else _MARK.search(text)
    return (mark[1], EDITED) if mark else (side, digest)
