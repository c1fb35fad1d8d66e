# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment over services that may be under TFO: their drop-ins follow what changes below them, and go with them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _deploy,
    _deployment,
    _exec_start,
    _files,
    _observe,
    _owned,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _drop_in, _lock, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def deploy(wanted: _observe.Wanted, check: bool) -> _deploy.Outcome:
    """Deploy the services of a side. Raises what _deploy.deploy and the record raise."""
    with contextlib.nullcontext() if check else _lock.hold():
        # The record is read first: a damaged one is told before anything changes.
        gone = _orphans(wanted.side) | set(_deployment.leaving(wanted, _owned.load()))
        written: dict[str, t.Optional[_files.State]] = {}
        result = _deploy.deploy(wanted, check, lambda: _renew(wanted.side, written))
        if not check:
            _follow(wanted)
        if not gone or result.refused:
            return result
        down = _down.down(_down.Descent("operator", "the instance was removed", [wanted.side], gone), check)
        if down.outcome == "failed":
            raise _apply.ApplyError(
                f"{', '.join(sorted(gone))} removed, but its bits are not put back: {'; '.join(down.reasons)}; mend that, and"
                " run the playbook rollback"
            )
        return _with_bits(result, down)


def _with_bits(result: _deploy.Outcome, down: Outcome) -> _deploy.Outcome:
    """And what becomes of the kernel's bits and their file; units and drop-ins are told by the deployment already."""
    told = [
        one
        for one in down.differs
        if one["what"] == "kernel" or (one["what"] == "file" and not one["name"].endswith(_exec_start.DROP_IN))
    ]
    steps = [f"{one['name']} {one['why']}" for one in told]
    return dataclasses.replace(
        result,
        changed=result.changed or bool(told),
        differs=[*result.differs, *told],
        steps=[*result.steps, *steps],
    )


def _orphans(side: str) -> set[str]:
    """Units of ours that are kept as being under TFO, and of which nothing is left: the run that removed them was killed.

    An adopted one that is stopped is its owner's."""
    record, lease = _record.load(), _record.load_lease()
    kept = {**record.units, **(lease.units if lease else {})}
    there = {*_owned.load(), *_drop_in.present()}
    names = sorted(set(_owned.side({unit: "" for unit in kept}, side)) - set(there))
    return {
        name
        for name, unit in _systemd.show(names).items()
        if unit.active_state in ("inactive", "failed")
        and not unit.enabled
        and not os.path.lexists(_service.config_path(*_service.parts(name)))
    }


def _follow(wanted: _observe.Wanted) -> None:
    """What is kept of services under TFO tells where they listen by now: the way down asks them there."""
    record, lease = _record.load(), _record.load_lease()
    request = Request(wanted.side)
    for service in wanted.services:
        for units in (record.units, lease.units if lease else {}):
            entry = units.get(_service.unit(service))
            if entry is not None:
                now = request.unit(service)
                entry.update({key: now[key] for key in ("address", "port")})
    if record.units:
        _record.store(record)
    if lease and lease.units:
        _record.store_lease(lease)


def _renew(side: str, written: dict[str, t.Optional[_files.State]]) -> None:
    """Let our drop-ins repeat what is below them by now; what cannot be repeated stays, and is named by audit and status.

    ``written`` are those that this has changed, as they were: on the way back they go back first, which needs no systemd.
    """
    for path, state in written.items():
        _files.restore(path, state)
    for unit, drop_in in _drop_in.present().items():
        with contextlib.suppress(_exec_start.Unfit):
            below = _exec_start.read(unit)[1]
            if drop_in.side == side and below.digest != drop_in.digest:
                for folder in drop_in.folders:
                    path = _drop_in.path(unit, folder)
                    written.setdefault(path, _files.read(path))
                    _drop_in.write(unit, folder, below, side)
