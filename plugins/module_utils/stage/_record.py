# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection keeps on a host, in /var/lib/fastopen (root only): the stage of each side, and snapshots.

stage.json        {"server": {"stage": "accept", "fingerprint": "…", "confirmed": true}, "client": {…}}
SIDE.json         the snapshot of a side's files and units, taken before TFO first went on, gone when it was restored
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _host, _service, _systemd

FOLDER = "/var/lib/fastopen"


class RecordError(Exception):
    """A kept file cannot be read; the message names it."""


def fingerprint(wanted: _host.Wanted, extra: t.Any) -> str:
    """A digest of everything that was asked for, so that a later run knows whether it asks for the same."""
    asked = [wanted.side, list(wanted.services), wanted.fast_open, wanted.flag, wanted.limit_nofile, extra]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def read_stage(side: str) -> dict[str, t.Any]:
    """The kept stage of a side; ``{"stage": "off"}`` where nothing was ever kept."""
    return _read("stage").get(side) or {"stage": "off"}


def write_stage(side: str, stage: t.Optional[dict[str, t.Any]]) -> None:
    """Keep the stage of a side, or forget it (None); without any stage there is no file."""
    stages = {key: value for key, value in {**_read("stage"), side: stage}.items() if value is not None}
    if stages:
        _write("stage", stages)
    else:
        _files.remove(_path("stage"))


def snapshot(side: str) -> t.Optional[dict[str, t.Any]]:
    """The snapshot of a side, or None."""
    return _read(side) or None


def take_snapshot(wanted: _host.Wanted, seen: _host.Seen, package: t.Mapping[str, t.Any]) -> None:
    """Keep the side as it is now, once: an existing snapshot is older and therefore right."""
    if snapshot(wanted.side) is not None:
        return
    mask = f"{_service.UNIT_DIR}/{_service.PACKAGED_UNIT}"
    files = dict(seen.files) if not seen.deployed else _templates(wanted.side, seen)
    packaged = seen.units.get(_service.PACKAGED_UNIT, _systemd.Unit(_service.PACKAGED_UNIT))
    _write(
        wanted.side,
        {
            "deployed": seen.deployed,
            "package": package["version"],
            "files": {path: _files.dump(state) for path, state in files.items()},
            "units": {name: [unit.enabled, unit.active] for name, unit in seen.units.items()},
            "packaged": {
                "enabled": packaged.enabled,
                "active": packaged.active,
                "file": _files.dump(_files.read(mask)),
            },
            "group": seen.gid is not None,
            "folder": os.path.isdir(_service.CONFIG_DIR),
        },
    )


def forget(side: str) -> None:
    """Drop stage and snapshot of a side, and the folder when nothing else is kept there."""
    _files.remove(_path(side))
    write_stage(side, None)
    if os.path.isdir(FOLDER) and not os.listdir(FOLDER):
        os.rmdir(FOLDER)


def _templates(side: str, seen: _host.Seen) -> dict[str, t.Optional[_files.State]]:
    paths = [_service.unit_path(program) for program in _service.SIDES[side]]
    return {path: seen.files[path] for path in paths if seen.files.get(path) is not None}


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.json"


def _read(name: str) -> dict[str, t.Any]:
    try:
        state = _files.read(_path(name))
        return {} if state is None else json.loads(state.content)
    except PermissionError:
        return {}
    except ValueError as error:
        raise RecordError(f"{_path(name)} is damaged ({error}): move it away and run again") from None


def _write(name: str, content: dict[str, t.Any]) -> None:
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    _files.write(_path(name), (json.dumps(content) + "\n").encode(), 0o600)
