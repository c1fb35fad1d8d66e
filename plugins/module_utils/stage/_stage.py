# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tfo_stage can be asked for, each under the host's lock, and everything that can come of it as one Outcome."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _units
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders, _service, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _confirm,
    _down,
    _eligible,
    _kill,
    _lease,
    _lock,
    _present,
    _program,
    _record,
    _tidy,
    _up,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def run(state: str, request: Request, check: bool) -> Outcome:
    """Bring the side to ``state``, one of STATES. Raises what the host's edges raise, see _errors."""
    with contextlib.ExitStack() as stack:
        try:
            if not check:
                stack.enter_context(_lock.hold())
                _tidy.tidy(request.sysctl_file)
        except (OSError, _record.RecordError):
            if state not in COMING_DOWN:  # bookkeeping never stands in front of a way down
                raise
        try:
            if state in COMING_DOWN and request.yield_to_claim:
                _yield(request)
            if state in GOING_UP:
                _prepare(request, check)
            return STATES[state](request, check)
        except _lease.Refused as refused:
            return Outcome("refused", reasons=[str(refused)])
        except _eligible.NotEligible as skipped:
            return _present.not_eligible(request, skipped, check)
        except _eligible.Skipped as skipped:
            return Outcome("skipped", reasons=[str(skipped)])


def _prepare(request: Request, check: bool) -> None:
    """Before anything else: is this run allowed to, and can the host help itself? Raises Refused, OSError."""
    why = _lease.refusal(request, _record.load_lease())
    if why:
        raise _lease.Refused(why)
    if not check:
        from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
            _cli,
        )  # nobody else needs it here

        _record.ensure_room()
        _program.install(_cli.__name__)


def present(request: Request, check: bool) -> Outcome:
    """See _present; where nothing came of it, nothing stays."""
    try:
        return _present.present(request, check)
    finally:
        if not check:
            sweep()


def _yield(request: Request) -> None:
    """Leave a host to the run that holds it. Raises Refused; a claim that cannot be read is none."""
    with contextlib.suppress(OSError, _record.RecordError):
        why = _lease.refusal(request, _record.load_lease())
        if why:
            raise _lease.Refused(why)


def plain(request: Request, check: bool) -> Outcome:
    """The side comes down, whatever run holds the host; another one than the request's own ends here."""
    known = {_service.unit(service): request.unit(service) for service in request.services}
    descent = _down.Descent(
        by="rollout" if request.run else "operator",
        why=request.why or "rollback",
        sides=[request.side],
        memory=request.memory,
        known=known,
        sysctl_file=request.sysctl_file,
    )
    result = _down.down(descent, check)
    if request.memory == "forget" and result.outcome != "failed":
        _remove_guard(result, check)
    if not check:
        _end_others(request, result)
        sweep()
    return result


def _remove_guard(result: Outcome, check: bool) -> None:
    """Where everything of a rollout goes, there is nothing left to be guarded."""
    try:
        planned = _units.plan(None)
        for one in planned.differs:
            result.note("guard", one["name"], one["why"])
        result.diff += planned.diff()
        if not check:
            _units.remove(planned)
    except (OSError, _systemd.SystemdError) as error:
        result.reasons.append(f"the guard is not removed: {error}")


def kill(request: Request, check: bool) -> Outcome:
    """The kill switch, see _kill; a run that holds the host ends here."""
    result = _kill.kill(request, check)
    if not check:
        _end_others(request, result)
    return result


def _end_others(request: Request, result: Outcome) -> None:
    """The run that held the host has no say here any more, and is told so at its next call."""
    try:
        lease = _record.load_lease()
        if lease and lease.run != request.run:
            _record.end_run(
                lease.run, f"{request.why or 'rollback'} by {request.who or 'an operator'} at {_record.now()}"
            )
            if not lease.units:
                _lease.drop()
        elif lease:
            _lease.renew(request, lease)
    except (OSError, _record.RecordError, _systemd.SystemdError) as error:
        result.reasons.append(f"done, but it cannot be kept: {error}")


def sweep() -> None:
    """Where nothing is kept any more, and nobody guards, nothing of ours stays: no empty folder, no program."""
    with contextlib.suppress(OSError, _record.RecordError):
        if _units.installed() or _record.load() != _record.Record() or _record.load_lease() is not None:
            return
        _folders.check(os.path.dirname(_record.PROGRAM))
        _files.remove(_record.PROGRAM)
    for folder in (os.path.dirname(_record.PROGRAM), _record.FOLDER):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


STATES: dict[str, t.Callable[[Request, bool], Outcome]] = {
    "present": present,
    "claimed": _lease.claim,
    "stepped": _up.step,
    "confirmed": _confirm.confirm,
    "plain": plain,
    "released": _lease.release,
    "killed": kill,
    "lifted": _kill.lift,
}
COMING_DOWN = ("plain", "killed")
GOING_UP = ("present", "claimed", "stepped")
