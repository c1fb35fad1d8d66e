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
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _down,
    _drop_in,
    _lock,
    _proof,
    _record,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def deploy(wanted: _observe.Wanted, check: bool) -> _deploy.Outcome:
    """Deploy the services of a side. Raises what _deploy.deploy and the record raise."""
    with contextlib.nullcontext() if check else _lock.hold():
        # The record is read first: a damaged one is told before anything changes.
        gone = _orphans(wanted.side) | set(_deployment.leaving(wanted, _owned.load()))
        moved = _moved(wanted)
        taken_off = {} if check else _take_off(wanted, moved)
        try:
            return _carry_out(wanted, check, gone, moved, taken_off)
        except (*_deploy.EXPECTED, *EXPECTED) as error:
            if not taken_off:
                raise
            raise _apply.ApplyError(
                f"{error}; without TCP Fast Open since its server was to change: {'; '.join(_told(taken_off))}."
                " The next rollout tries it again"
            ) from error


def _carry_out(
    wanted: _observe.Wanted,
    check: bool,
    gone: t.Collection[str],
    moved: t.Collection[str],
    taken_off: t.Mapping[str, str],
) -> _deploy.Outcome:
    written: dict[str, t.Optional[_files.State]] = {}
    result = _with_moved(_deploy.deploy(wanted, check, lambda: _renew(wanted.side, written)), moved, taken_off)
    if not check:
        _follow(wanted, written)
    if not gone or result.refused:
        return result
    down = _down.down(_down.Descent("operator", "the instance was removed", [wanted.side], gone), check)
    if down.outcome == "failed":
        raise _apply.ApplyError(
            f"{', '.join(sorted(gone))} removed, but its bits are not put back: {'; '.join(down.reasons)}; mend that, and"
            " run the playbook rollback"
        )
    return _with_bits(result, down)


def _moved(wanted: _observe.Wanted) -> dict[str, t.Mapping[str, t.Any]]:
    """The clients under TFO that get another server, by unit: nobody has seen that their SYN data is accepted there."""
    if wanted.side != "client":
        return {}
    record, lease = _record.load(), _record.load_lease()
    kept, request = _record.under(record, lease), Request(wanted.side, wanted.services)
    return {
        unit: service
        for unit, service in wanted.units.items()
        if unit in kept and kept[unit].get("servers") != request.unit(service)["servers"]
    }


def _take_off(wanted: _observe.Wanted, moved: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, str]:
    """Those of them on whose new path SYN data is not seen to be accepted come down before they get there; each with why.

    That their old server may not answer any more is no reason against it. Nothing is done where the deployment is refused.
    Raises ApplyError where one cannot come down.
    """
    found = {unit: "; ".join(_proof.paths([service])[1]) for unit, service in moved.items()}
    found = {unit: why for unit, why in found.items() if why}
    if not found or _deploy.deploy(wanted, check=True).refused:
        return {}
    down = _down.down(_down.Descent("operator", "its server changed", [wanted.side], found), check=False)
    still = sorted(set(found) & set(_drop_in.present()))
    if still:
        raise _apply.ApplyError(
            f"nothing was deployed: {', '.join(still)} cannot be taken off TCP Fast Open, and gets a server that it must not"
            f" send SYN data to: {'; '.join(down.reasons)}"
        )
    return found


def _told(taken_off: t.Mapping[str, str]) -> list[str]:
    return [f"{unit}: {reason}" for unit, reason in taken_off.items()]


def _with_moved(result: _deploy.Outcome, moved: t.Collection[str], taken_off: t.Mapping[str, str]) -> _deploy.Outcome:
    """And what their new servers mean to the clients under TFO."""
    why = "gets another server: TCP Fast Open stays on where the path there carries it"
    told = [{"what": "service", "name": unit, "why": why} for unit in moved]
    return dataclasses.replace(
        result,
        changed=result.changed or bool(told),
        differs=[*result.differs, *told],
        steps=[*result.steps, *(f"{one['name']} {one['why']}" for one in told)],
        taken_off=_told(taken_off),
    )


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
    kept = _record.under(record, lease)
    there = {*_owned.load(), *_drop_in.present()}
    names = sorted(set(_owned.side({unit: "" for unit in kept}, side)) - set(there))
    return {
        name
        for name, unit in _systemd.show(names).items()
        if unit.active_state in ("inactive", "failed")
        and not unit.enabled
        and not os.path.lexists(_service.config_path(*_service.parts(name)))
    }


def _follow(wanted: _observe.Wanted, renewed: t.Container[str]) -> None:
    """What is kept of services under TFO tells where they listen by now, for the way down asks them there, and which servers
    they use, for the guard. ``renewed`` are the drop-ins that repeat another command than before."""
    record, lease = _record.load(), _record.load_lease()
    request = Request(wanted.side, wanted.services)
    for service in wanted.services:
        for units in (record.units, lease.units if lease else {}):
            unit = _service.unit(service)
            entry = units.get(unit)
            if entry is not None:
                now = request.unit(service)
                again = any(_drop_in.path(unit, folder) in renewed for folder in (_drop_in.STEPPED, _drop_in.CONFIRMED))
                if again or entry.get("servers") != now["servers"]:
                    entry["unjudged"] = True
                entry.update({key: now[key] for key in ("address", "port", "servers", "ipv6_first")})
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
