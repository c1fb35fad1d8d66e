# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of one side (server or client) of a host: what is wanted, what is there, and how they differ.

Changes nothing, and knows nothing of TCP Fast Open: that is the stage's, in a drop-in which stays while its instance does.
"""

from __future__ import annotations

import dataclasses
import glob
import grp
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _files,
    _process,
    _service,
    _systemd,
)

MARK = "(fastopen.shadowsocks)"
"""In the first line of a template unit, and of a drop-in of the stage, that this collection wrote."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The services of one side, all of them: an instance that is not among them goes."""

    side: str
    services: t.Sequence[t.Mapping[str, t.Any]]
    limit_nofile: int = 65536


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is on the host. ``names`` are the (program, name) pairs that are managed now, wanted or not."""

    names: frozenset[tuple[str, str]]
    files: t.Mapping[str, t.Optional[_files.State]]
    units: t.Mapping[str, _systemd.Unit]
    processes: t.Mapping[str, t.Optional[_process.Process]]
    gid: t.Optional[int]


@dataclasses.dataclass
class Plan:
    """The steps from Seen to Wanted, and ``differs``: one {what, name, why} for each thing that is not as wanted."""

    files: dict[str, _service.File] = dataclasses.field(default_factory=dict)
    write: list[str] = dataclasses.field(default_factory=list)
    attributes: list[str] = dataclasses.field(default_factory=list)
    remove: list[str] = dataclasses.field(default_factory=list)
    stop: list[str] = dataclasses.field(default_factory=list)
    enable: list[str] = dataclasses.field(default_factory=list)
    restart: list[str] = dataclasses.field(default_factory=list)
    mask: bool = False
    reload: bool = False
    differs: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def note(self, what: str, name: str, why: str) -> None:
        """Keep one difference for the report."""
        self.differs.append({"what": what, "name": name, "why": why})


def observe(wanted: Wanted) -> Seen:
    """Read files, units and processes of this side."""
    names = managed_names(wanted.side)
    units = [_service.unit(service) for service in wanted.services]
    units += [f"{program}@{name}.service" for program, name in sorted(names)]
    shown = _systemd.show(sorted({*units, _service.PACKAGED_UNIT}))
    paths = set(_service.files(wanted.services, wanted.limit_nofile))
    paths |= {path for program, name in names for path in own_paths(program, name)}
    paths |= {path for program, name in names - _kept(wanted) for path in _service.fast_open_paths(program, name)}
    paths |= {_service.unit_path(program) for program in _service.SIDES[wanted.side]}
    return Seen(
        names=names,
        files={path: _files.read(path) for path in sorted(paths)},
        units=shown,
        processes={name: _process.read(unit.pid) if unit.pid else None for name, unit in shown.items()},
        gid=group_id(),
    )


def _kept(wanted: Wanted) -> frozenset[tuple[str, str]]:
    return frozenset((service["program"], service["name"]) for service in wanted.services)


def managed_names(side: str) -> frozenset[tuple[str, str]]:
    """The instances of this side that have a config or start at boot."""
    found = set()
    for program in _service.SIDES[side]:
        for path in glob.glob(f"{_service.CONFIG_DIR}/{program}-*.json"):
            found.add((program, os.path.basename(path)[len(program) + 1 : -len(".json")]))
        for path in glob.glob(f"{_service.UNIT_DIR}/multi-user.target.wants/{program}@*.service"):
            found.add((program, os.path.basename(path)[len(program) + 1 : -len(".service")]))
    return frozenset(found)


def own_paths(program: str, name: str) -> list[str]:
    """The files that belong to one instance alone."""
    return [
        _service.config_path(program, name),
        _service.acl_path(program, name),
        _service.drop_in_path(program, name),
    ]


def group_id() -> t.Optional[int]:
    """The group that may read the configs, or None."""
    try:
        return grp.getgrnam(_service.GROUP).gr_gid
    except KeyError:
        return None


def compare(wanted: Wanted, seen: Seen) -> Plan:
    """The plan: pure, so check mode, diff mode and the real run cannot disagree."""
    plan = Plan()
    plan.files = _service.files(wanted.services, wanted.limit_nofile)
    for path, file in plan.files.items():
        _compare_file(plan, path, file, seen)
    for program, name in sorted(seen.names - _kept(wanted)):
        unit = f"{program}@{name}.service"
        plan.stop.append(unit)
        plan.note("service", unit, "is no longer wanted")
    _compare_leftovers(plan, seen)
    for service in wanted.services:
        _compare_service(plan, service, seen)
    packaged = seen.units.get(_service.PACKAGED_UNIT)
    if packaged is not None and packaged.load_state not in ("not-found", "masked"):
        plan.mask = True
        plan.note("service", packaged.name, "is the package's own server, which must not listen")
    touched = any(path.startswith((_service.UNIT_DIR, _service.RUN_UNIT_DIR)) for path in plan.write + plan.remove)
    plan.reload = touched or any(unit.needs_reload for unit in seen.units.values())
    return plan


def _compare_file(plan: Plan, path: str, file: _service.File, seen: Seen) -> None:
    state = seen.files.get(path)
    gid = (-1 if seen.gid is None else seen.gid) if file.group else 0
    if state is None or state.link or state.content != file.text.encode():
        plan.write.append(path)
        plan.note("file", path, "is missing" if state is None else "has other content")
    elif (state.mode, state.uid, state.gid) != (file.mode, 0, gid):
        plan.attributes.append(path)
        plan.note("file", path, f"is {state.mode:04o} {state.uid}:{state.gid}, not {file.mode:04o} root:{file.group}")


def _compare_leftovers(plan: Plan, seen: Seen) -> None:
    for path, state in seen.files.items():
        if state is None or path in plan.files:
            continue
        if path.endswith(("@.service", f"/{_exec_start.DROP_IN}")) and MARK not in state.content.decode(
            errors="replace"
        ):
            continue
        plan.remove.append(path)
        plan.note("file", path, "is no longer wanted")


def _compare_service(plan: Plan, service: t.Mapping[str, t.Any], seen: Seen) -> None:
    unit = _service.unit(service)
    state = seen.units.get(unit, _systemd.Unit(unit))
    if not state.enabled:
        plan.enable.append(unit)
        plan.note("service", unit, "does not start at boot")
    why = stale(plan, service, state, seen)
    if why:
        plan.restart.append(unit)
        plan.note("service", unit, why)


def stale(plan: Plan, service: t.Mapping[str, t.Any], unit: _systemd.Unit, seen: Seen) -> str:
    """Why the service must be restarted, '' when the process is what the files say."""
    process = seen.processes.get(unit.name)
    if not unit.active or process is None:
        return f"is {unit.active_state} ({unit.sub_state})"
    reads = [_service.unit_path(service["program"]), *own_paths(service["program"], service["name"])]
    if set(reads) & {*plan.write, *plan.remove}:
        return "reads a file that changes"
    newest = max((seen.files[path].mtime for path in reads if seen.files.get(path) is not None), default=0.0)
    if process.started + _process.TICK_SECONDS < newest:
        return "runs since before its files were written"
    return ""
