# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up: a step, which lives in /run and in the running kernel under a lease, until its confirmation makes it last.

Order: lease, kernel, proof of the paths, drop-in, restart, proof. Whatever is killed in between, the lease undoes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _switch, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _process,
    _restart,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _drop_in,
    _eligible,
    _lease,
    _proof,
    _record,
    _requests,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._lease import Refused
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def step(request: Request, check: bool) -> Outcome:
    """Bring the side under TFO until its lease ends. Raises Refused, Skipped, and what the host's edges raise."""
    result = Outcome("planned" if check else "stepped")
    record, lease = _record.load(), _record.load_lease()
    _eligible.refuse(request, record)
    units = {_service.unit(service): request.unit(service) for service in _proof.carriers(request.services)}
    if request.unfit:
        raise _eligible.Skipped("; ".join(request.unfit))
    if not units:
        raise _eligible.Skipped(_proof.NO_CARRIER if request.services else _proof.NO_SERVICE)
    below = _below(units)
    if not check and any(one.stale for one in below.values()):
        _systemd.systemctl("daemon-reload")
        below = _below(units)
    shown = _systemd.show(sorted(units))
    for unit, state in shown.items():
        if not state.active:
            raise Refused(f"{unit} is {state.active_state} ({state.sub_state}): it must run before; deploy first")
    wanted = _record.Record(**{**vars(record), "units": {**record.units, **units}})
    boot = _switch.plan_boot(_record.wants(wanted, None), record.line, file=request.sysctl_file)
    value = _switch.run_time(_record.wants(wanted, lease), record.raised | (lease.raised if lease else 0))
    may_send = bool(value.before & _tfo_bits.SEND)
    if request.side == "client" and may_send and request.judge_paths:
        _eligible.judge_paths(request, result)
    confirmed = set(units) <= set(record.units) - set(lease.units if lease else ())  # in both: killed while confirming
    kept = {**record.units, **(lease.units if lease else {})}
    stale = _differences(request, units, below, shown, kept, value, result)
    for path in boot.files if confirmed or check else ():
        result.note("file", path, f"has no line {_switch.KEY} = {boot.value} for the boot")
    if check:
        if not result.changed:
            result.outcome = "confirmed" if confirmed else "stepped"
        return result
    if result.changed or not confirmed:
        confirmed = False
        lease = _lease.renew(request, lease)
        renewed = set(units) & set(record.units)
        _begin(units, value, record, lease)
        if request.side == "client" and not may_send:  # without 0x1 no path could be tried before
            _eligible.judge_paths(request, result, begun=True)
        _place(request, units, below, stale, result)
        if renewed:
            _unconfirm(request, record)
    _prove(request, units, result)
    if confirmed and not result.reasons:
        result.outcome = "confirmed"
        _lease.settle(units)
    return result


def _below(units: t.Mapping[str, _record.Unit]) -> dict[str, _exec_start.Below]:
    """What the drop-ins repeat, of those units that get one. Raises Skipped."""
    return {unit: _eligible.below(unit) for unit, entry in units.items() if entry["mode"] == "flag"}


def _differences(
    request: Request,
    units: t.Mapping[str, _record.Unit],
    below: t.Mapping[str, _exec_start.Below],
    shown: t.Mapping[str, _systemd.Unit],
    kept: t.Mapping[str, _record.Unit],
    value: _switch.RunTime,
    result: Outcome,
) -> dict[str, str]:
    """Note what is not as it should be, or not as it is ``kept``; the units to be restarted for it, each with why."""
    if value.before != value.after:
        result.note("kernel", _switch.KEY, f"is {value.before}, not {value.after}")
        header = {"before_header": "run time", "after_header": "run time"}
        before, after = (f"{_switch.KEY} = {number}\n" for number in (value.before, value.after))
        result.diff.append({**header, "before": before, "after": after})
    present = _drop_in.present()
    stale = {}
    for unit, entry in units.items():
        if unit in kept and kept[unit]["mode"] != entry["mode"]:
            result.note("service", unit, f"is under TFO in mode {kept[unit]['mode']}")
        if entry["mode"] != "flag":
            for folder in present[unit].folders if unit in present else ():
                result.note("file", _drop_in.path(unit, folder), f"is of no use in mode {entry['mode']}")
                result.diff.append(_drop_in.diff(unit, folder, None, up=False))
                if entry["mode"] == "listener":
                    stale[unit] = "runs with our flag"
            continue
        if unit not in present:
            stale[unit] = "is missing"
        elif present[unit].digest == _drop_in.EDITED:
            stale[unit] = "was edited by hand"
        elif present[unit].digest != below[unit].digest:
            stale[unit] = f"repeats an older command than {below[unit].setter}"
        else:
            process = _process.read(shown[unit].pid)
            if process is None or _exec_start.FLAG not in process.argv:
                stale[unit] = "is newer than its process"
        if unit in stale:
            result.note("file", _drop_in.path(unit, _drop_in.STEPPED), stale[unit])
            result.diff.append(_drop_in.diff(unit, _drop_in.STEPPED, below[unit], up=True))
    if value.after & ~value.before & _tfo_bits.ALL_LISTENERS:
        for unit in (unit for unit, entry in units.items() if entry["mode"] == "listener"):
            stale[unit] = "listens since before bit 0x400"
            result.note("service", unit, stale[unit])
    return stale


def _begin(
    units: t.Mapping[str, _record.Unit],
    value: _switch.RunTime,
    record: _record.Record,
    lease: _record.Lease,
) -> None:
    """The lease knows the step before anything changes; then the kernel."""
    record.units = {unit: entry for unit, entry in record.units.items() if unit not in units}
    record.raised &= _record.wants(record, None).on
    lease.units.update(units)
    lease.raised = value.raised & ~record.raised
    _record.store_lease(lease)
    _switch.write(value)


def _place(
    request: Request,
    units: t.Mapping[str, _record.Unit],
    below: t.Mapping[str, _exec_start.Below],
    stale: t.Collection[str],
    result: Outcome,
) -> None:
    for unit, entry in units.items():
        if entry["mode"] == "flag":
            _drop_in.write(unit, _drop_in.STEPPED, below[unit], request.side)
            _drop_in.remove(unit, _drop_in.CONFIRMED)
        else:
            for folder in (_drop_in.STEPPED, _drop_in.CONFIRMED):
                _drop_in.remove(unit, folder)
    _systemd.systemctl("daemon-reload")
    result.reasons += _restart.restart({unit: units[unit]["port"] for unit in sorted(stale)})
    result.changed = True


def _unconfirm(request: Request, record: _record.Record) -> None:
    """What was confirmed is only stepped from here on, so that a reboot undoes it like any other step. Its drop-in has
    left /etc before: one that is still there at a boot has the bits that it needs."""
    boot = _switch.plan_boot(_record.wants(record, None), record.line, file=request.sysctl_file)
    record.line = boot.line
    _switch.persist(boot)
    _record.store(record)


def _prove(request: Request, units: t.Mapping[str, _record.Unit], result: Outcome) -> None:
    if request.side == "server":
        result.paths = _proof.accepts(request.services)
        if any(path["verdict"] != "fast_open" for path in result.paths):
            # What the process read at its start (0x400 works at listen() only) is newer than the process.
            result.reasons += _restart.restart({unit: entry["port"] for unit, entry in units.items()})
            result.changed = True
            result.paths = _proof.accepts(request.services)
        result.reasons += _proof.refusals(result.paths)
        flagged = [one for one in _proof.carriers(request.services) if request.unit(one)["mode"] != "listener"]
        result.tunnels, reasons = _requests.served(flagged, request.probe_url)
        result.reasons += reasons
    else:
        before = _counters.read()
        result.tunnels, reasons = _requests.tunnels(request.services, request.probe_url)
        result.counters = _counters.delta(before, _counters.read())
        result.reasons += reasons
        if result.tunnels and not reasons and result.counters.get("TCPFastOpenActive", 0) < 1:
            result.reasons.append("the tunnel answers, but no SYN data of its client was acknowledged")
    result.reasons += _proof.unflagged(units)
    if result.reasons:
        result.outcome = "failed"
