# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One side of a host brought to a stage, as one transaction on the host itself.

Up: snapshot, kernel, prove, config, restart, prove. Down: config, restart, kernel back to its snapshot.
"""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _kernel, _proc, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _host, _package, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _proof, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def converge(request: Request, check: bool, judge_paths: bool = True) -> Outcome:
    """Bring the side to what is wanted; in check mode only say what would happen.

    ``judge_paths`` False compares only, whatever the paths of a client are like.
    """
    result = Outcome()
    wanted = request.wanted
    seen = _host.observe(wanted)
    plan = _host.compare(wanted, seen)
    up = wanted.fast_open is True
    if up and judge_paths and not _proof.carriers(wanted.services):
        return Outcome("left", reasons=[_proof.NO_CARRIER])
    unjudged = up and wanted.side == "client" and judge_paths
    if unjudged and _may_send():
        if not _eligible(request, result):
            return _leave(request, seen, result, check)
        unjudged = False
    if request.kernel is not None and wanted.fast_open is not False:
        _kernel_up(request, result, check)
    if unjudged and not check and not _eligible(request, result):
        return _leave(request, seen, result, check)
    if up and not check:
        _record.take_snapshot(wanted, seen, _package.read(request.package, request.binary))
    result.differs += plan.differs
    result.diff += _apply.diff(plan, seen)
    result.changed = result.changed or bool(plan.differs)
    if check:
        result.outcome = "planned" if result.changed else "kept"
        return result
    _apply.apply(plan, wanted, seen)
    if up and not request.confirm:  # what is judged later is judged by the restarts since this step
        _apply.count_restarts_anew([_service.unit(s) for s in wanted.services if _service.unit(s) not in plan.restart])
    if up:
        _prove(request, result)
    elif wanted.fast_open is False:
        _record.write_stage(wanted.side, None)
    return result


def _leave(request: Request, seen: _host.Seen, result: Outcome, check: bool) -> Outcome:
    """A client whose paths do not carry TFO stays as it was; one that loses its SYNs by TFO now goes back to plain."""
    if seen.fast_open and any(path["verdict"] == "syn_dropped" for path in result.paths):
        undone = _down.plain(request, check)
        undone.outcome = "unproven" if undone.outcome == "unproven" else "reverted"
        undone.reasons, undone.paths = [*result.reasons, *undone.reasons], result.paths
        return undone
    result.outcome, result.changed = "left", False
    if any(item["what"] == "kernel" for item in result.differs):
        _down.kernel(request, result, check)
        result.changed, result.diff, result.differs = False, [], []
    return result


def _may_send() -> bool:
    value = _proc.read_sysctl("net.ipv4.tcp_fastopen")
    return value is not None and bool(_tfo_bits.parse(value) & _tfo_bits.SEND)


def _kernel_up(request: Request, result: Outcome, check: bool) -> None:
    kernel = _kernel.converge(request.kernel or {}, file=request.sysctl_file, snapshot=_kernel.SNAPSHOT, check=check)
    if kernel.changed:
        result.changed = True
        result.differs.append({"what": "kernel", "name": request.sysctl_file, "why": "is not as wanted"})
        result.diff += kernel.diff if isinstance(kernel.diff, list) else [kernel.diff]


def _eligible(request: Request, result: Outcome) -> bool:
    """Whether every path of this client carries SYN data; if not, says why and leaves the host as it is."""
    result.paths, result.reasons = _proof.paths(request.wanted.services, request.planned_servers)
    return not result.reasons


def _prove(request: Request, result: Outcome) -> None:
    wanted = request.wanted
    if wanted.side == "server":
        result.paths = _proof.accepts(wanted.services)
        if any(path["verdict"] != "fast_open" for path in result.paths):
            # Something that the process read at its start (0x400 works at listen() only) is newer than the process.
            _apply.restart(wanted.services, [_service.unit(service) for service in wanted.services])
            result.changed = True
            result.paths = _proof.accepts(wanted.services)
        result.reasons = _proof.refusals(result.paths)
    else:
        before = _counters.read()
        result.tunnels, result.reasons = _proof.tunnels(wanted.services, request.probe_url)
        result.counters = _counters.delta(before, _counters.read())
        if result.tunnels and not result.reasons and result.counters.get("TCPFastOpenActive", 0) < 1:
            result.reasons.append("the tunnel answers, but no SYN data of its client was acknowledged")
    result.outcome = "unproven" if result.reasons else "proven"
    stage = {"stage": "accept" if wanted.side == "server" else "send", "fingerprint": request.fingerprint}
    _record.write_stage(wanted.side, {**stage, "confirmed": request.confirm and not result.reasons})


def keep(request: Request, check: bool) -> Outcome:
    """Take the snapshot now, before somebody else changes the host, for example by installing the package."""
    wanted = request.wanted
    result = Outcome(changed=_record.snapshot(wanted.side) is None)
    if result.changed and not check:
        _record.take_snapshot(wanted, _host.observe(wanted), _package.read(request.package, request.binary))
    return result


def confirm(request: Request, check: bool) -> Outcome:
    """Keep that the stage which this side was brought to has also been judged."""
    side = request.wanted.side
    stage = _record.read_stage(side)
    if stage["stage"] != "off" and not stage["confirmed"] and not check:
        _record.write_stage(side, {**stage, "confirmed": True})
    return Outcome(outcome="kept" if stage["stage"] == "off" else "proven")
