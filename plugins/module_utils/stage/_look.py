# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about one side of a host in one look: kernel, package, services, paths, stage, and what a step would do."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import Implementation
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _cookie_keys, _machine, _probe, _uptime
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _archive,
    _binary,
    _deployment,
    _exec_start,
    _foreign,
    _listeners,
    _observe,
    _owned,
    _package,
    _process,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _proof, _record, _stage, _status
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def look(
    request: Request,
    wanted: _observe.Wanted,
    package: str,
    probe_paths: bool,
    implementation: Implementation = _implementations.BY_NAME[_implementations.DEFAULT],
) -> dict[str, t.Any]:
    """What tfo_host returns for a side; see that module's RETURN. Changes nothing."""
    seen = _observe.observe(wanted)
    plan = _deployment.compare(wanted, seen)
    fastopen = _probe.observe()
    packaged = _package.read(package, asked(wanted, implementation))
    packaged.update(packaged_unit=seen.packaged.unit.load_state, touched=seen.packaged.touched)
    differs = [*(_package_differs(packaged, wanted.archive) if wanted.services else []), *plan.differs]
    foreign = _foreign.refusals(wanted, seen)
    deployed = _deployed(wanted, seen, bool(differs or foreign))
    step = Outcome("planned")
    if deployed == "yes":
        step = _stage.run("stepped", dataclasses.replace(request, judge_paths=probe_paths), check=True)
    paths, reasons = step.paths, step.reasons
    if probe_paths and wanted.side == "client" and not paths:
        paths = _proof.paths(request.services, request.planned_servers)[0]
    if probe_paths and wanted.side == "server" and deployed == "differs":
        paths = _proof.accepts(_as_kept(request.services))
    if probe_paths and wanted.side == "server" and deployed == "yes":
        paths = _proof.accepts(request.services)
        reasons = [*reasons, *(_proof.refusals(paths) if step.outcome == "confirmed" else [])]
    services = _services(request, seen)
    stage = _stage_of(wanted.side, services, fastopen["sysctl"], paths)
    return {
        "side": wanted.side,
        "machine": _machine.identity(),
        "fastopen": fastopen,
        "cookie_keys": _cookie_keys.names(request.run) if request.run else [],
        "uptime_seconds": _uptime.seconds(),
        "listeners": _listening(request),
        "package": packaged,
        "left": plan.left,
        "services": services,
        "paths": paths,
        "deployed": deployed,
        "differs": differs,
        "foreign": foreign,
        "own_fast_open": list(request.own),
        "step": {"outcome": step.outcome, "differs": step.differs},
        "reasons": reasons,
        "stage": stage,
        "done": step.outcome == "confirmed" and not reasons and not stage["problems"] and _proof.carry(paths),
    }


def _listening(request: Request) -> list[dict[str, t.Any]]:
    """Every other TCP listener where bit 0x400 is wanted: each of them accepts SYN data from its next start on."""
    if not any(request.unit(service)["mode"] == "listener" for service in request.services):
        return []
    own = {_service.tcp_port(service) for service in request.services}
    return _listeners.told(holder for holder in _listeners.tcp() if holder.port not in own)


def _as_kept(services: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Those under TFO where they listen now, which may be elsewhere than is wanted: by the address that is kept, one of several,
    or any that is wanted. Of a drop-in that nobody kept nobody knows the port."""
    record, lease = _record.load(), _record.load_lease()
    kept = _record.under(record, lease)
    known = {unit: entry for unit, entry in kept.items() if entry["port"] is not None}
    under = [(service, known[_service.unit(service)]) for service in services if _service.unit(service) in known]
    now = {"mode": "tcp_only", "plugin": None}  # else it would not be under TFO
    return [
        {**service, **now, "server": [entry["address"], *service["server"]], "server_port": entry["port"]}
        for service, entry in under
    ]


def asked(wanted: _observe.Wanted, implementation: Implementation) -> str:
    """The binary that stands for its side: one that is wanted here, as a host may have no other."""
    binaries = implementation.binaries
    if wanted.side == "server":
        return binaries["ss-server"]
    programs = {service["program"] for service in wanted.services} or {"ss-local"}
    # ss-tunnel knows --fast-open without naming it, so another one is asked where there is one (_binary).
    other = "ss-local" if _binary.find(binaries["ss-local"]) else "ss-tunnel"
    return binaries[min(programs - {"ss-tunnel"}, default=other)]


def _deployed(wanted: _observe.Wanted, seen: _observe.Seen, differs: bool) -> str:
    """Of what is ours; what is adopted was deployed by its owner."""
    if not wanted.services and not differs:
        return "yes"
    if not _owned.side(seen.owned, wanted.side):
        return "no"
    return "differs" if differs else "yes"


def _stage_of(
    side: str,
    services: t.Sequence[t.Mapping[str, t.Any]],
    sysctl: t.Optional[t.Mapping[str, t.Any]],
    paths: t.Sequence[t.Mapping[str, t.Any]],
) -> dict[str, t.Any]:
    found = _status.observe()
    units = [unit for unit in found["units"] if unit["side"] == side]
    undone = {unit: one for unit, one in found["undone"].items() if one["side"] == side}
    states = {unit["state"] for unit in units} or {"undone" if undone else "plain"}
    return {
        "intended": found["intended"][side],
        "actual": actual(side, services, sysctl, paths),
        "state": next(state for state in ("unknown", "stepped", "confirmed", "undone", "plain") if state in states),
        "problems": [f"{unit['unit']}: {problem}" for unit in units for problem in unit["problems"]],
        "undone": undone,
        "guard": found["guard"],
        "claim": found["claim"],
        "kill_switch": found["kill_switch"],
    }


def actual(
    side: str,
    services: t.Sequence[t.Mapping[str, t.Any]],
    sysctl: t.Optional[t.Mapping[str, t.Any]],
    paths: t.Sequence[t.Mapping[str, t.Any]],
) -> str:
    """The stage that really runs: by the processes and the kernel, and for servers by an accepted SYN with data.

    ``broken`` means that services are due to run with TFO and would exit for want of kernel bit 0x1.
    """
    flagged = any(service["fast_open"] for service in services)
    if flagged and not (sysctl and sysctl["send"]):
        return "broken"
    if side == "client":
        return "send" if flagged else "off"
    return "accept" if paths and all(path["verdict"] == "fast_open" for path in paths) else "off"


def _package_differs(package: t.Mapping[str, t.Any], archive: t.Mapping[str, str]) -> list[dict[str, str]]:
    if package["binary"] is None:
        return [{"what": "package", "name": package["name"], "why": "is not installed"}]
    if not package["knows_fast_open"] and os.path.basename(package["binary"]) != "ss-tunnel":
        return [{"what": "package", "name": package["name"], "why": f"{package['binary']} has no --fast-open"}]
    why = _archive.difference(archive)
    return [{"what": "package", "name": package["name"], "why": why}] if why else []


def _services(request: Request, seen: _observe.Seen) -> list[dict[str, t.Any]]:
    """The state of each unit; under another name it is somebody else's."""
    names = list(dict.fromkeys(_service.unit(service) for service in request.services))
    units = {**seen.units, **_systemd.show([name for name in names if name not in seen.units])}
    found = []
    for unit in (units.get(name, _systemd.Unit(name)) for name in names):
        process = seen.processes[unit.name] if unit.name in seen.processes else _process.read(unit.pid)
        found.append(
            {
                "unit": unit.name,
                "state": unit.active_state,
                "enabled": unit.enabled,
                "restarts": unit.restarts,
                "fast_open": process is not None and _exec_start.FLAG in process.argv,
            }
        )
    return found
