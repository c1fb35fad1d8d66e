# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way down, the one that everybody takes: revert, rollback, lease, guard, and `fastopen off`.

Drop-in away, bit 0x400, restart, proof that plain traffic passes, bits and line. It needs nothing but what the host has,
each part may be killed and run again, and nothing that is only kept for later can stop it.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _process,
    _restart,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _all_listeners,
    _drop_in,
    _proof,
    _record,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome


@dataclasses.dataclass(frozen=True)
class Descent:
    """What comes down, and who wants it: ``units`` (None: all) of these ``sides``.

    ``by``: lease, guard, operator or rollout. ``memory``: add the units to those that later runs leave alone until they
    are told to try again, keep these as they are, or forget those of the sides. ``known``: services to be proven plain
    whether or not anything of ours is on them.
    """

    by: str
    why: str
    sides: t.Collection[str] = ("server", "client")
    units: t.Optional[t.Collection[str]] = None
    memory: str = "keep"
    known: t.Mapping[str, _record.Unit] = dataclasses.field(default_factory=dict)
    sysctl_file: str = _switch.FILE


def down(descent: Descent, check: bool) -> Outcome:
    """Bring it down. The caller holds the host's lock, if it could get it."""
    result = Outcome("planned" if check else "plain")
    record, lease = kept(_record.load, result) or _record.Record(), kept(_record.load_lease, result)
    confirmed = {*record.units, *(lease.renewed if lease else ())}
    units = _targets(descent, record, lease)
    shown = _systemd.show(sorted({*units, *descent.known}))
    units.update(_flagged(descent.known, units, shown))
    restart = _take_away(units, shown, result, check)
    for kept_units in (record.units, lease.units if lease else {}):
        for unit in units:
            kept_units.pop(unit, None)
    left, before = {}, None
    if not check:
        if any(units[unit]["mode"] == "listener" for unit in restart):
            before = _all_listeners.stop(record, lease)
        result.reasons += _restart.restart({unit: units[unit]["port"] for unit in restart}, go_on=True)
        left = _still_up(units, shown)
        tunnels, reasons = _proof.plain({**descent.known, **units})
        result.tunnels, result.reasons = tunnels, [*result.reasons, *reasons]
    failed = bool(result.reasons)
    ending = [shown[unit].pid for unit in restart] if check else []
    failed = _bits(descent, record, lease, result, check, ending, before) or failed
    if not check:
        record.units.update(left)
        _keep(descent, units, confirmed, record, lease, result)
        result.outcome = "failed" if failed else "plain"
    return result


def kept(load: t.Callable[[], t.Any], result: Outcome) -> t.Any:
    """What is kept; what cannot be read does not stop the way down, and is a reason."""
    try:
        return load()
    except _record.RecordError as error:
        result.reasons.append(str(error))
        return None


def _targets(descent: Descent, record: _record.Record, lease: t.Optional[_record.Lease]) -> dict[str, _record.Unit]:
    """The units under TFO that are meant: by their drop-ins, and by what is kept (in listener mode there is none)."""
    found = _record.under(record, lease)
    for unit, drop_in in _drop_in.present().items():
        program = unit.partition("@")[0]
        bare = {"side": drop_in.side, "mode": "flag", "program": program, "address": "", "port": None, "url": ""}
        found.setdefault(unit, bare)
    return {
        unit: entry
        for unit, entry in found.items()
        if entry["side"] in descent.sides and (descent.units is None or unit in descent.units)
    }


def _flagged(
    known: t.Mapping[str, _record.Unit], units: t.Collection[str], shown: t.Mapping[str, _systemd.Unit]
) -> dict[str, _record.Unit]:
    """Services that run with the flag although neither their files nor the record say so: killed on the way down."""
    found = {}
    for unit in sorted(name for name in set(known) - set(units) if known[name]["mode"] != "own"):
        process = _process.read(shown[unit].pid) if unit in shown and shown[unit].pid else None
        if process is None or _exec_start.FLAG not in process.argv:
            continue
        try:
            if not _exec_start.read(unit)[1].own_flag:
                found[unit] = known[unit]
        except _exec_start.Unfit:
            continue
    return found


def _take_away(
    units: t.Mapping[str, _record.Unit], shown: t.Mapping[str, _systemd.Unit], result: Outcome, check: bool
) -> list[str]:
    """Remove the drop-ins, and say which units must be restarted for that."""
    present = _drop_in.present()
    for unit in sorted(units):
        for folder in present[unit].folders if unit in present else ():
            result.note("file", _drop_in.path(unit, folder), "carries --fast-open")
            result.diff.append(_drop_in.diff(unit, folder, None, up=False))
            if not check:
                try:
                    _drop_in.remove(unit, folder)
                except OSError as error:
                    result.reasons.append(f"{_drop_in.path(unit, folder)} cannot be removed: {error.strerror}")
        if not check:
            _drop_in.remove_empty(unit)
    if not check and any(unit in present or shown[unit].needs_reload for unit in units):
        _systemd.systemctl("daemon-reload")
    restart = []
    for unit, entry in sorted(units.items()):
        why = _must_restart(entry, shown[unit])
        unmet = _systemd.unmet(unit) if why and shown[unit].active else ""
        if unmet:
            result.reasons.append(
                f"{unit} {why} and is left so: a restart would leave it down, for its unit asks for what is not so now: {unmet}"
            )
        elif why:
            restart.append(unit)
            result.note("service", unit, why)
    return restart


def _must_restart(entry: _record.Unit, unit: _systemd.Unit) -> str:
    if unit.active_state == "inactive":
        return "went down in its step" if entry.get("fell") else ""
    if not unit.active:
        return f"is {unit.active_state}"
    process = _process.read(unit.pid)
    if process is not None and entry["mode"] == "flag" and _exec_start.FLAG in process.argv:
        return f"runs with {_exec_start.FLAG}"
    return "listens with bit 0x400" if entry["mode"] == "listener" else ""


def _still_up(units: t.Mapping[str, _record.Unit], before: t.Mapping[str, _systemd.Unit]) -> dict[str, _record.Unit]:
    """The units whose process is one that TFO was turned on for: they stay known, so that the next way down finds them."""
    found = {}
    for unit, state in _systemd.show(sorted(units)).items():
        process = _process.read(state.pid) if state.pid else None
        entry = units[unit]
        flagged = entry["mode"] == "flag" and process is not None and _exec_start.FLAG in process.argv
        if flagged or (entry["mode"] == "listener" and process is not None and state.pid == before[unit].pid):
            found[unit] = entry
    return found


def _bits(
    descent: Descent,
    record: _record.Record,
    lease: t.Optional[_record.Lease],
    result: Outcome,
    check: bool,
    ending: t.Collection[int],
    before: t.Optional[int],
) -> bool:
    """Bits and line as whoever is left needs them; True where the kernel could not be put back.

    In check mode ``ending`` are the processes that the real run restarts before. ``before``: the kernel's value, where
    a bit of it has gone already.
    """
    failed = False
    try:
        raised = record.raised | (lease.raised if lease else 0)
        value = _switch.run_time(_record.wants(record, lease), raised, ending=ending, lower=True)
        result.reasons += value.kept
        before = value.before if before is None else before
        if before != value.after:
            result.note("kernel", _switch.KEY, f"is {before}, not {value.after}")
            result.diff.append(_switch.run_time_diff(before, value.after))
        if not check:
            _switch.write(value)
        record.raised &= value.raised
        if lease:
            lease.raised &= value.raised
    except KernelError as error:
        failed = True
        result.reasons.append(str(error))
    if lease and not lease.units:  # it ends soon, and a bit that stays must still be known as ours then
        record.raised, lease.raised = record.raised | lease.raised, 0
    try:
        file = record.line.file if record.line else descent.sysctl_file
        boot = _switch.plan_boot(_record.wants(record, None), record.line, file=file)
        for path in boot.files:
            result.note("file", path, f"{_switch.KEY} is put back")
        result.diff += _switch.boot_diff(boot)
        if not check:
            _record.persist(record, boot)
    except (KernelError, OSError) as error:
        failed = True
        result.reasons.append(str(error))
    return failed


def _keep(
    descent: Descent,
    units: t.Mapping[str, _record.Unit],
    confirmed: t.Container[str],
    record: _record.Record,
    lease: t.Optional[_record.Lease],
    result: Outcome,
) -> None:
    """``confirmed``: the units that a rollout had made to last; they stay intended where the host itself took them off."""
    if lease:
        lease.renewed = [unit for unit in lease.renewed if unit in lease.units]
    itself = descent.by in ("guard", "lease")
    for unit, one in record.undone.items():
        if not itself and one["side"] in descent.sides and (descent.units is None or unit in descent.units):
            one["intended"] = "off"
    if descent.memory == "forget":
        record.undone = {unit: one for unit, one in record.undone.items() if one["side"] not in descent.sides}
    if descent.memory == "add":
        said = {"by": descent.by, "when": _record.now(), "why": descent.why}
        for unit, entry in units.items():
            stays = itself and unit in confirmed
            stage = _record.STAGES[entry["side"]] if stays else "off"
            record.undone[unit] = {**said, "side": entry["side"], "intended": stage}
    for store in (functools.partial(_record.store, record), functools.partial(_record.store_lease, lease)):
        try:
            store()
        except OSError as error:
            result.reasons.append(f"done, but it cannot be kept: {error}")
