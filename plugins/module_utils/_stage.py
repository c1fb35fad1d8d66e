# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One side of a host brought to a stage, as one transaction on the host itself.

Up: snapshot, kernel, prove, config, restart, prove. Down: config, restart, kernel back to its snapshot.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils import (
    _apply,
    _counters,
    _host,
    _kernel,
    _package,
    _proc,
    _proof,
    _record,
    _service,
    _tfo_bits,
)

SYSCTL_SNAPSHOT = f"{_record.FOLDER}/sysctl.json"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a stage is made of. ``kernel`` None leaves the kernel alone; ``probe_url`` '' fetches nothing."""

    wanted: _host.Wanted
    package: str
    kernel: t.Optional[dict[str, t.Any]] = None
    sysctl_file: str = "/etc/sysctl.d/99-tfo.conf"
    probe_url: str = ""
    confirm: bool = True

    @property
    def binary(self) -> str:
        """The program whose help tells whether the build knows TFO."""
        return "ss-server" if self.wanted.side == "server" else "ss-local"

    @property
    def fingerprint(self) -> str:
        """Digest of the request, for the record."""
        return _record.fingerprint(self.wanted, [self.kernel, self.sysctl_file])


@dataclasses.dataclass
class Outcome:
    """What came of it. ``outcome``: kept (nothing to prove), planned (check mode), proven, unproven,
    left (a client whose paths do not carry TFO, as it was), reverted (such a client that had TFO on)."""

    outcome: str = "kept"
    changed: bool = False
    reasons: list[str] = dataclasses.field(default_factory=list)
    differs: list[dict[str, str]] = dataclasses.field(default_factory=list)
    diff: list[dict[str, str]] = dataclasses.field(default_factory=list)
    paths: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    tunnels: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)


def converge(request: Request, check: bool, judge_paths: bool = True) -> Outcome:
    """Bring the side to what is wanted; in check mode only say what would happen.

    ``judge_paths`` False compares only, whatever the paths of a client are like.
    """
    result = Outcome()
    wanted = request.wanted
    seen = _host.observe(wanted)
    plan = _host.compare(wanted, seen)
    up = wanted.fast_open is True
    unjudged = up and wanted.side == "client" and judge_paths
    if unjudged and _may_send():
        if not _eligible(request, result):
            return _leave(request, seen, result, check)
        unjudged = False
    if up and not check:
        _record.take_snapshot(wanted, seen, _package.read(request.package, request.binary))
    if request.kernel is not None and wanted.fast_open is not False:
        _kernel_up(request, result, check)
    if unjudged and not check and not _eligible(request, result):
        return _leave(request, seen, result, check)
    result.differs += plan.differs
    result.diff += _apply.diff(plan, seen)
    result.changed = result.changed or bool(plan.differs)
    if check:
        result.outcome = "planned" if result.changed else "kept"
        return result
    _apply.apply(plan, wanted, seen)
    if wanted.fast_open is False:
        _go_down(request, result)
    elif up:
        _prove(request, result)
    return result


def _leave(request: Request, seen: _host.Seen, result: Outcome, check: bool) -> Outcome:
    """A client whose paths do not carry TFO stays as it was; one that loses its SYNs by TFO now goes back to plain."""
    result.outcome = "left"
    if not seen.fast_open:
        if not check and _record.read_stage("client")["stage"] == "off":
            _kernel_down(request, result, check)
            _record.forget("client")
            result.changed = False
    elif any(path["verdict"] == "syn_dropped" for path in result.paths):
        down = dataclasses.replace(request, wanted=dataclasses.replace(request.wanted, fast_open=False), probe_url="")
        undone = converge(down, check)
        result.outcome, result.changed, result.diff = "reverted", undone.changed, undone.diff
        result.differs = undone.differs
    return result


def _may_send() -> bool:
    value = _proc.read_sysctl("net.ipv4.tcp_fastopen")
    return value is not None and bool(_tfo_bits.parse(value) & _tfo_bits.SEND)


def _kernel_up(request: Request, result: Outcome, check: bool) -> None:
    kernel = _kernel.converge(request.kernel or {}, file=request.sysctl_file, snapshot=SYSCTL_SNAPSHOT, check=check)
    if kernel.changed:
        result.changed = True
        result.differs.append({"what": "kernel", "name": request.sysctl_file, "why": "is not as wanted"})
        result.diff += kernel.diff if isinstance(kernel.diff, list) else [kernel.diff]


def _eligible(request: Request, result: Outcome) -> bool:
    """Whether every path of this client carries SYN data; if not, says why and leaves the host as it is."""
    result.paths, result.reasons = _proof.paths(request.wanted.services)
    return not result.reasons


def _prove(request: Request, result: Outcome) -> None:
    wanted = request.wanted
    if wanted.side == "server":
        result.paths = _proof.accepts(wanted.services)
        if any(path["verdict"] != "fast_open" for path in result.paths):
            # Something that the process read at its start (0x400 works at listen() only) is newer than the process.
            _apply.restart(wanted, [_service.unit(service) for service in wanted.services])
            result.changed = True
            result.paths = _proof.accepts(wanted.services)
        result.reasons = [
            f"{path['verdict']}: ss-server on port {path['port']} does not accept SYN data"
            for path in result.paths
            if path["verdict"] != "fast_open"
        ]
    else:
        before = _counters.read()
        result.tunnels, result.reasons = _proof.tunnels(wanted.services, request.probe_url)
        result.counters = _counters.delta(before, _counters.read())
        if result.tunnels and not result.reasons and result.counters.get("TCPFastOpenActive", 0) < 1:
            result.reasons.append("the tunnel answers, but no SYN data of its client was acknowledged")
    result.outcome = "unproven" if result.reasons else "proven"
    stage = {"stage": "accept" if wanted.side == "server" else "send", "fingerprint": request.fingerprint}
    _record.write_stage(wanted.side, {**stage, "confirmed": request.confirm and not result.reasons})


def _go_down(request: Request, result: Outcome) -> None:
    """Without TFO: the tunnel must still answer; then the kernel goes back unless the other side needs it."""
    wanted = request.wanted
    if wanted.side == "client":
        result.tunnels, result.reasons = _proof.tunnels(wanted.services, request.probe_url)
    if _record.snapshot(wanted.side) is None and _record.read_stage(wanted.side)["stage"] == "off":
        return
    _kernel_down(request, result, check=False)
    _record.forget(wanted.side)


def _kernel_down(request: Request, result: Outcome, check: bool) -> None:
    other = "client" if request.wanted.side == "server" else "server"
    if _record.read_stage(other)["stage"] != "off":
        return
    kernel = _kernel.restore(file=request.sysctl_file, snapshot=SYSCTL_SNAPSHOT, check=check)
    result.changed = result.changed or kernel.changed


def restore(request: Request, check: bool) -> Outcome:
    """The side back to its snapshot; a side without one is as it was found already."""
    result = Outcome()
    side = request.wanted.side
    kept = _record.snapshot(side)
    seen = _host.observe(_host.Wanted(side, []))
    if kept is not None:
        result.changed = True
        result.differs.append({"what": "stage", "name": side, "why": "goes back to its snapshot"})
        if not check:
            _apply.restore(side, kept, seen)
    _kernel_down(request, result, check)
    if not check:
        _record.forget(side)
    return result


def keep(request: Request, check: bool) -> Outcome:
    """Take the snapshot now, before somebody else changes the host, for example by installing the package."""
    wanted = request.wanted
    result = Outcome(changed=_record.snapshot(wanted.side) is None)
    if result.changed and not check:
        _record.take_snapshot(wanted, _host.observe(wanted), _package.read(request.package, request.binary))
    return result
