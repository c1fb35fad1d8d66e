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
    _restart,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _all_listeners,
    _differences,
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
    kept = _record.under(record, lease)
    stale = _differences.find(units, below, shown, kept, value, result)
    needed = _record.wants(_record.Record(**{**vars(record), "units": {**kept, **units}}), None)
    if _tfo_bits.ALL_LISTENERS & ~needed.on & value.after & (record.raised | (lease.raised if lease else 0)):
        without = value.after & ~_tfo_bits.ALL_LISTENERS  # a service leaves mode listener, see _begin
        result.note("kernel", _switch.KEY, f"is {value.after}, not {without}")
        result.diff.append(_switch.run_time_diff(value.after, without))
    _eligible.conditions(sorted(stale))
    for path in boot.files if confirmed or check else ():
        result.note("file", path, f"has no line {_switch.KEY} = {boot.value} for the boot")
    if check:
        if not result.changed:
            result.outcome = "confirmed" if confirmed else "stepped"
        return result
    answered: t.Sequence[t.Mapping[str, t.Any]] = []
    if result.changed or not confirmed:
        if request.side == "server":
            answered = _requests.answering(_flagged(request), request.probe_url)
        confirmed = False
        lease = _lease.renew(request, lease)
        renewed = set(units) & set(record.units)
        lease.renewed = sorted({*lease.renewed, *renewed})
        _begin(units, value, record, lease)
        if request.side == "client" and not may_send:  # without 0x1 no path could be tried before
            _eligible.judge_paths(request, result, begun=True)
        _place(request, units, below, stale, result)
        if renewed:
            _unconfirm(request, record)
    _prove(request, units, answered, result)
    if lease and result.reasons:
        _own_up(lease)
    if confirmed and not result.reasons:
        result.outcome = "confirmed"
        _lease.settle(units)
        if any(record.units[unit] != entry for unit, entry in units.items()):
            record.units.update(units)
            _record.store(record)
    return result


def _flagged(request: Request) -> list[t.Mapping[str, t.Any]]:
    """The servers that open connections with TFO themselves, towards origins."""
    return [one for one in _proof.carriers(request.services) if request.unit(one)["mode"] != "listener"]


def _below(units: t.Mapping[str, _record.Unit]) -> dict[str, _exec_start.Below]:
    """What the drop-ins repeat, of those units that get one. Raises Skipped."""
    return {unit: _eligible.below(unit) for unit, entry in units.items() if entry["mode"] == "flag"}


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
    if (record.raised | lease.raised) & _tfo_bits.ALL_LISTENERS & ~_record.wants(record, lease).on:
        _all_listeners.stop(record, lease)  # a service has left mode listener
        _record.store_lease(lease)


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


def _own_up(lease: _record.Lease) -> None:
    """What a restart of ours has left down is ours to start again: it looks like what its owner has stopped."""
    for unit, state in _systemd.show(sorted(lease.units)).items():
        if not state.alive:
            lease.units[unit]["fell"] = True
    _record.store_lease(lease)


def _unconfirm(request: Request, record: _record.Record) -> None:
    """What was confirmed is only stepped from here on, so that a reboot undoes it like any other step. Its drop-in has
    left /etc before: one that is still there at a boot has the bits that it needs."""
    boot = _switch.plan_boot(_record.wants(record, None), record.line, file=request.sysctl_file)
    _record.persist(record, boot)
    _record.store(record)


def _prove(
    request: Request,
    units: t.Mapping[str, _record.Unit],
    answered: t.Sequence[t.Mapping[str, t.Any]],
    result: Outcome,
) -> None:
    """``answered``: the servers that did answer before, and must now: what did not was not the step's doing."""
    if request.side == "server":
        result.paths = _proof.accepts(request.services)
        if any(path["verdict"] != "fast_open" for path in result.paths):
            # What the process read at its start (0x400 works at listen() only) is newer than the process.
            result.reasons += _restart.restart(
                {unit: entry["port"] for unit, entry in units.items() if not _systemd.unmet(unit)}
            )
            result.changed = True
            result.paths = _proof.accepts(request.services)
        result.reasons += _proof.refusals(result.paths)
        result.tunnels, reasons = _requests.served(answered, request.probe_url)
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
