# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill switch of servers: bit 0x2 off at once, without a restart, and kept off until it is lifted."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def kill(request: Request, check: bool) -> Outcome:
    """First the kernel, then what is kept of it, then what was only stepped; nothing of it waits for anything.

    ``failed`` where 0x2 is on or would come back at boot; the reasons name what sets it.
    """
    result = Outcome("planned" if check else "killed")
    record = _down.kept(_record.load, result) or _record.Record()
    lease = _down.kept(_record.load_lease, result)
    failed = bool(result.reasons)  # what is only stepped may be hidden in it
    wanted = _record.Record(**{**vars(record), "killed": record.killed or _said(request)})
    failed = _clear(request, wanted, result, check) or failed
    if record.killed is None:
        result.note("stage", "kill switch", "is off")
    if check:
        return result
    try:
        _record.store(wanted)
    except OSError as error:
        failed = True
        result.reasons.append(f"0x2 is off, but that it shall stay so cannot be kept: {error}")
    stepped = sorted(unit for unit, entry in (lease.units if lease else {}).items() if entry["side"] == "server")
    if stepped:
        undone = _down.down(_down.Descent("operator", "kill switch", ["server"], stepped, memory="add"), check)
        result.reasons += undone.reasons
        failed = failed or undone.outcome == "failed"
    result.outcome = "failed" if failed else "killed"
    return result


def _clear(request: Request, wanted: _record.Record, result: Outcome, check: bool) -> bool:
    """Clear 0x2 at run time and for the boot; whether that failed."""
    failed = False
    try:
        value = _switch.run_time(_switch.Wants(killed=True), 0, lower=True)
        if value.before != value.after:
            result.note("kernel", _switch.KEY, f"is {value.before}, not {value.after}")
            result.diff.append(_switch.run_time_diff(value.before, value.after))
        if not check:
            _switch.write(value)
    except KernelError as error:
        failed = True
        result.reasons.append(str(error))
    try:
        boot = _switch.plan_boot(_record.wants(wanted, None), wanted.line, file=request.sysctl_file)
        for path in boot.files:
            result.note("file", path, f"would set bit 0x2 at boot, instead of {boot.value}")
        result.diff += _switch.boot_diff(boot)
        if not check:
            _record.persist(wanted, boot)
        failed = failed or bool(boot.value & _tfo_bits.ACCEPT)
    except (KernelError, OSError) as error:
        failed = True
        result.reasons.append(str(error))
    return failed


def lift(request: Request, check: bool) -> Outcome:
    """Let rollouts set 0x2 again. Nothing is switched on by this."""
    del request
    record = _record.load()
    result = Outcome("planned" if check else "lifted", changed=record.killed is not None)
    if result.changed and not check:
        record.killed = None
        _record.store(record)
    return result


def _said(request: Request) -> dict[str, str]:
    return {"by": request.who or "operator", "when": _record.now()}
