# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run holds this host, and until when: the claim, and the timer that undoes a step which nobody confirms."""

from __future__ import annotations

import contextlib
import sys
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _drop_in, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request

TIMER = "fastopen-lease"
AGAIN = 75
"""The status of an undoing that did not get through and is to be tried again (EX_TEMPFAIL in sysexits.h)."""
ALONE = "role-"
"""How the run of a role is called: it is one call, which holds the lock while it lives, so whoever finds its lease here
finds that of a call that was killed."""
HARDENING = (
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL CAP_NET_ADMIN"
    " CAP_NET_BIND_SERVICE CAP_SYS_PTRACE",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "UMask=0077",
)
"""For the program when systemd starts it. No namespace of its own: where those are refused (LXC without nesting) a unit
that asks for one does not start, and a lease that does not start is no lease."""


class Refused(Exception):
    """Nothing was changed, and the operator must act first; the message says how."""


def refusal(request: Request, lease: t.Optional[_record.Lease]) -> str:
    """Why a run may not touch this host, '' where it may. Without a run (a role, a user) a live claim is in the way too."""
    ended = _record.ended()
    if request.run and ended.get("run") == request.run:
        return f"run {request.run} has no say on this host any more: {ended['why']}"
    if lease is None or not lease.live or lease.run in (request.run, request.take_over) or lease.run.startswith(ALONE):
        return ""
    left = lease.deadline - time.monotonic()
    return (
        f"claimed by run {lease.run} of {lease.who} since {lease.since}. Wait until it is through; if it died, its claim"
        f" ends by itself in {left:.0f} s, or take it over with -e rollout_take_over={lease.run}"
    )


def claim(request: Request, check: bool) -> Outcome:
    """Hold this host for the request's run, which may."""
    lease = _record.load_lease()
    result = Outcome("claimed")
    if check:
        return result
    if lease and lease.run != request.run:
        if not lease.live and lease.units:
            result.reasons += expire(lease).reasons
            lease = None
        else:
            _record.end_run(lease.run, f"run {request.run} of {request.who} took it over at {_record.now()}")
    renew(request, lease)
    return result


def renew(request: Request, lease: t.Optional[_record.Lease]) -> _record.Lease:
    """The request's lease, counted anew from now; its timer runs before it is kept, the old timer stops after that.

    Raises SystemdError, OSError: no lease, no step.
    """
    old = lease.timer if lease else ""
    if lease is None:
        lease = _record.Lease(request.run)
    if lease.run != request.run or not lease.since:
        lease.run, lease.since = request.run, _record.now()
    lease.who = request.who or lease.who
    lease.timer = f"{TIMER}-{time.monotonic_ns()}"
    lease.deadline = time.monotonic() + request.lease_seconds  # counted before the timer, which must not find it live
    _start_timer(lease, request.lease_seconds)
    _record.store_lease(lease)
    if old:
        _stop_timer(old)
    return lease


def keep(run: str, seconds: float) -> None:
    """Count a run's lease anew, where it still holds this host; a measurement of its own calls this."""
    lease = _record.load_lease()
    if run and lease and lease.run == run and lease.live:
        renew(Request("", run=run, lease_seconds=seconds), lease)


def release(request: Request, check: bool) -> Outcome:
    """Let the host go. A step that is not confirmed stays under its lease, which undoes it."""
    lease = _record.load_lease()
    if lease is None or lease.run != request.run:
        return Outcome("released")
    if lease.units:
        return Outcome("failed", reasons=[f"{', '.join(sorted(lease.units))}: not confirmed, the lease undoes that"])
    if not check:
        drop()
    return Outcome("released")


def drop() -> None:
    """End the lease, under which nothing is left to undo, with every timer of ours: that of a call that was killed
    before it could keep it, too."""
    _record.store_lease(None)
    _stop_timer(f"{TIMER}-*")


def settle(units: t.Collection[str]) -> None:
    """Confirmed units need no drop-in in /run any more; also where a call was killed before it could take them away."""
    for unit in units:
        _drop_in.remove(unit, _drop_in.STEPPED)
    if any(unit.needs_reload for unit in _systemd.show(sorted(units)).values()):
        _systemd.systemctl("daemon-reload")


def expire(lease: _record.Lease) -> Outcome:
    """The lease has ended: what was not confirmed is undone."""
    why = f"the lease of run {lease.run} ended: nobody confirmed its step"
    result = _down.down(_down.Descent("lease", why, units=sorted(lease.units), memory="add"), check=False)
    with contextlib.suppress(OSError):  # it is undone; a lease that stays would have it undone once more
        _record.end_run(lease.run, f"its lease ended at {_record.now()} and the step was undone")
    drop()
    return result


def _start_timer(lease: _record.Lease, seconds: float) -> None:
    """Two triggers: systemd counts OnActiveSec anew at every daemon-reload, and what counts from its own start not. The
    other one is for a reload at the very end, at which a time that has just passed is dropped. `systemctl isolate` stops
    neither timer nor service, nor does a soft reboot the timer, which keeps /run and the step in it (systemd.unit(5),
    systemd-soft-reboot.service(8))."""
    shown = _systemd.systemctl("show", "--property=UserspaceTimestampMonotonic", "--value")
    started = _ascii.number(_ascii.strip(shown))  # microseconds, 0 where it is not told
    command = [
        f"--unit={lease.timer}",
        f"--description=Undo TCP Fast Open if run {lease.run} does not come back",
        *([f"--on-startup={lease.deadline - started / 1e6:.3f}"] if started else []),
        f"--on-active={seconds:.3f}",
        "--timer-property=AccuracySec=1s",
        "--timer-property=IgnoreOnIsolate=yes",
        "--timer-property=DefaultDependencies=no",
        "--collect",
        "--property=IgnoreOnIsolate=yes",
        "--property=Restart=on-abnormal",  # killed in the middle of its undoing, it goes on
        f"--property=RestartForceExitStatus={AGAIN}",
        "--property=RestartSec=3",  # for ever: systemd gives up after five starts within ten seconds
        *(f"--property={setting}" for setting in HARDENING),
        sys.executable,
        _record.PROGRAM,
        "expire",
        lease.run,
    ]
    _systemd.run_transient(*command)


def _stop_timer(name: str) -> None:
    try:
        _systemd.systemctl("stop", f"{name}.timer")
    except _systemd.SystemdError:
        return  # it has elapsed and is gone; should it still run, it finds nothing to undo
