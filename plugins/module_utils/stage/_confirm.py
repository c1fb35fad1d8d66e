# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The confirmation of a step, which makes it last: record, line for the boot, drop-in in /etc. Nothing is restarted."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _drop_in,
    _eligible,
    _lease,
    _proof,
    _record,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._lease import Refused
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def confirm(request: Request, check: bool) -> Outcome:
    """Make the step last: record, line, drop-in in /etc; no restart. Raises Refused where there is no step to confirm."""
    record, lease = _record.load(), _record.load_lease()
    units = {unit: entry for unit, entry in (lease.units if lease else {}).items() if entry["side"] == request.side}
    if lease is None or lease.run != request.run or not lease.live or not units:
        return _unconfirmable(request, record, lease, check)
    flagged, changed = _unchanged(units)
    reasons = _proof.unflagged(units) or changed
    if reasons:
        return Outcome("failed", reasons=reasons)
    result = Outcome("planned" if check else "confirmed", changed=True)
    if check:
        return result
    record.units.update(units)
    record.raised |= lease.raised
    record.undone = {unit: entry for unit, entry in record.undone.items() if unit not in units}
    boot = _switch.plan_boot(_record.wants(record, None), record.line, file=request.sysctl_file)
    record.line = boot.line
    _record.store(record)
    _switch.persist(boot)
    for unit, below in flagged.items():
        _drop_in.write(unit, _drop_in.CONFIRMED, below, request.side)
    lease.units = {unit: entry for unit, entry in lease.units.items() if unit not in units}
    lease.renewed = [unit for unit in lease.renewed if unit in lease.units]
    lease.raised = 0 if not lease.units else lease.raised
    _record.store_lease(lease)  # from here on the step lasts: until here the lease would undo it
    _lease.settle(flagged)
    _lease.renew(request, lease)
    return result


def _unconfirmable(request: Request, record: _record.Record, lease: t.Optional[_record.Lease], check: bool) -> Outcome:
    """Confirmed already, or undone meanwhile: said by whom and when. What the guard took off is reverted: proven plain."""
    guarded = {unit: one for unit, one in record.undone.items() if (one["side"], one["by"]) == (request.side, "guard")}
    if guarded and _record.ended().get("run") == request.run:
        reasons = [f"{unit}: taken off by the guard at {one['when']}: {one['why']}" for unit, one in guarded.items()]
        return Outcome("failed" if set(guarded) & set(record.units) else "reverted", reasons=reasons)
    why = _lease.refusal(request, lease)
    if why:
        raise Refused(why)
    mine = [unit for unit, entry in record.units.items() if entry["side"] == request.side]
    if mine:
        if not check:
            _lease.settle(mine)
        return Outcome("confirmed")
    if lease and lease.units and not lease.live:
        raise Refused(f"the lease of run {lease.run} has ended: this host undoes the step by itself, by now or shortly")
    undone = [
        f"{unit}: undone by {one['by']} at {one['when']} ({one['why']})"
        for unit, one in record.undone.items()
        if one["side"] == request.side
    ]
    raise Refused(
        f"there is no step to confirm; {'; '.join(undone) or 'nothing is kept of one: it may have been rebooted'}"
    )


def _unchanged(units: t.Mapping[str, _record.Unit]) -> tuple[dict[str, _exec_start.Below], list[str]]:
    """What the drop-ins of a step repeat, and where that is not what was stepped: nobody has seen that work."""
    flagged, reasons = {}, []
    present = _drop_in.present()
    for unit in sorted(unit for unit, entry in units.items() if entry["mode"] == "flag"):
        try:
            flagged[unit] = _eligible.below(unit)
        except _eligible.Skipped as error:
            reasons.append(str(error))
            continue
        if unit not in present or present[unit].digest != flagged[unit].digest:
            reasons.append(
                f"{unit}: ExecStart in {flagged[unit].setter}, or our drop-in over it, changed after the step"
            )
    return flagged, reasons
