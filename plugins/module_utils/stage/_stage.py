# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tfo_stage can be asked for, each under the host's lock, and everything that can come of it as one Outcome."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders, _service, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _cli,
    _confirm,
    _down,
    _eligible,
    _kill,
    _lease,
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
                stack.enter_context(_record.lock())
                _tidy.tidy(request.sysctl_file)
        except (OSError, _record.RecordError):
            if state not in COMING_DOWN:  # bookkeeping never stands in front of a way down
                raise
        try:
            if state in GOING_UP:
                _prepare(request, check)
            return STATES[state](request, check)
        except _lease.Refused as refused:
            return Outcome("refused", reasons=[str(refused)])
        except _eligible.NotEligible as skipped:
            return _not_eligible(request, skipped, check)
        except _eligible.Skipped as skipped:
            return Outcome("skipped", reasons=[str(skipped)])


def _prepare(request: Request, check: bool) -> None:
    """Before anything else: is this run allowed to, and can the host help itself? Raises Refused, OSError."""
    why = _lease.refusal(request, _record.load_lease())
    if why:
        raise _lease.Refused(why)
    if not check:
        _record.ensure_room()
        _program.install(_cli.__name__)


def _not_eligible(request: Request, skipped: _eligible.NotEligible, check: bool) -> Outcome:
    """A client whose paths do not carry TFO stays plain; one that is under TFO and loses its SYNs by it comes down."""
    result = Outcome("skipped", reasons=skipped.reasons, paths=skipped.paths)
    under = any(entry["side"] == "client" for entry in _record.load().units.values())
    if not skipped.begun and not (under and skipped.lost):
        return result
    undone = _down.down(_down.Descent("rollout", str(skipped), [request.side]), check)
    result.reasons += undone.reasons
    if undone.outcome == "failed":
        result.outcome = "failed"
    elif not skipped.begun:
        result.outcome, result.changed, result.diff = "reverted", True, undone.diff
    return result


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
    if not check:
        _end_others(request, result)
        _sweep()
    return result


def kill(request: Request, check: bool) -> Outcome:
    """The kill switch, see _kill; a run that holds the host ends here."""
    result = _kill.kill(request, check)
    if not check:
        _end_others(request, result)
    return result


def present(request: Request, check: bool) -> Outcome:
    """Step, proof and confirmation in one, for a role, under a claim of its own; what is not proven comes down at once."""
    _lease.claim(request, check)
    try:
        try:
            result = _up.step(request, check)
        except _eligible.NotEligible as skipped:
            return _not_eligible(request, skipped, check)
        if result.outcome == "stepped":
            result.changed = True
            if check:
                result.outcome = "planned"
                return result
            confirmed = _confirm.confirm(request, check)
            result.outcome, result.reasons = confirmed.outcome, [*result.reasons, *confirmed.reasons]
        if result.outcome == "failed":
            descent = _down.Descent("rollout", "; ".join(result.reasons), [request.side])
            result.reasons += _down.down(descent, check).reasons
        return result
    finally:
        _lease.release(request, check)
        if not check:
            _sweep()


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


def _sweep() -> None:
    """Where nothing is kept any more, nothing of ours stays: no empty folder, no program."""
    with contextlib.suppress(OSError, _record.RecordError):
        if _record.load() != _record.Record() or _record.load_lease() is not None:
            return
        _folders.check(os.path.dirname(_program.PATH))
        _files.remove(_program.PATH)
    for folder in (os.path.dirname(_program.PATH), _record.FOLDER):
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
