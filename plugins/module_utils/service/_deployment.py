# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of one side (server or client) of a host: what is wanted, what is there, and how they differ.

Changes nothing, and knows nothing of TCP Fast Open: that is the stage's, in a drop-in that stays with its instance.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _access,
    _binary,
    _exec_start,
    _files,
    _listeners,
    _owned,
    _packaged,
    _process,
    _secrets,
    _service,
    _systemd,
)

MARK = "(fastopen.shadowsocks)"
"""In the first line of a template unit, and of a drop-in of the stage, that this collection wrote."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The services of one side. A deployed instance that is not among them goes if it is named in ``absent``, or with
    ``prune``; else it stays. ``packaged``: whether the package's own server is kept from listening.
    """

    side: str
    services: t.Sequence[t.Mapping[str, t.Any]]
    limit_nofile: int = 65536
    absent: t.Collection[str] = ()
    prune: bool = False
    packaged: bool = True

    @property
    def units(self) -> dict[str, t.Mapping[str, t.Any]]:
        """The services by unit."""
        return {_service.unit(service): service for service in self.services}


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is on the host.

    ``owned`` are the units that this collection has deployed, of both sides, with their instances. ``programs`` are the
    files that the programs are; ``others`` the enabled or running instances of our templates that we did not deploy,
    ``halves`` files that a killed run has left half-written, maybe with a password in them.
    """

    owned: t.Mapping[str, str]
    files: t.Mapping[str, t.Optional[_files.State]]
    units: t.Mapping[str, _systemd.Unit]
    processes: t.Mapping[str, t.Optional[_process.Process]]
    gid: t.Optional[int]
    packaged: _packaged.Packaged
    folder: t.Optional[_access.Folder] = None
    programs: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    holders: t.Sequence[_listeners.Holder] = ()
    others: t.Collection[str] = ()
    halves: t.Sequence[str] = ()


@dataclasses.dataclass
class Plan:
    """The steps from Seen to Wanted.

    ``differs`` has one {what, name, why} for each thing that is not as wanted; ``left`` are deployed units that nobody
    lists any more and that stay; ``owned`` is the record as it will be.
    """

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
    left: list[str] = dataclasses.field(default_factory=list)
    owned: dict[str, str] = dataclasses.field(default_factory=dict)

    def note(self, what: str, name: str, why: str) -> None:
        """Keep one difference for the report."""
        self.differs.append({"what": what, "name": name, "why": why})


def observe(wanted: Wanted) -> Seen:
    """Read files, units, processes and listeners that matter to this side. Raises OwnedError, SystemdError, OSError."""
    owned = _owned.load()
    mine = _owned.side(owned, wanted.side)
    units = sorted({*wanted.units, *mine})
    programs = _service.SIDES[wanted.side]
    found = _systemd.show([*units, _packaged.UNIT, *(f"{program}@*.service" for program in programs)])
    shown = {name: found[name] for name in (*units, _packaged.UNIT) if name in found}
    running = {name for name, unit in found.items() if name.partition("@")[0] in programs and unit.alive}
    paths = {path for unit in units for path in own_paths(unit)}
    paths |= {path for unit in set(mine) - set(wanted.units) for path in fast_open_paths(unit)}
    paths |= {_service.unit_path(program) for program in programs}
    ports = {_service.port(service) for service in wanted.services}
    return Seen(
        owned=owned,
        files={path: _files.read(path) for path in sorted(paths)},
        units=shown,
        processes={name: _process.read(unit.pid) if unit.pid else None for name, unit in shown.items()},
        gid=_access.group_id(),
        packaged=_packaged.read(shown.get(_packaged.UNIT, _systemd.Unit(_packaged.UNIT))),
        folder=_access.folder(),
        programs={program: _binary.started(program) for program in programs},
        holders=_listeners.holders(ports, [shown[unit].pid for unit in units if unit in shown and shown[unit].pid]),
        halves=sorted(glob.glob(_files.temporary(f"{glob.escape(_service.CONFIG_DIR)}/*"))),
        others=(_enabled(wanted.side) | running) - set(owned) - set(wanted.units),
    )


def _enabled(side: str) -> set[str]:
    links = f"{_service.UNIT_DIR}/*.wants"
    return {
        os.path.basename(path) for program in _service.SIDES[side] for path in glob.glob(f"{links}/{program}@*.service")
    }


def own_paths(unit: str) -> list[str]:
    """The files that belong to one instance alone."""
    program, name = _service.parts(unit)
    return [_service.config_path(program, name), _service.acl_path(program, name), _service.drop_in_path(program, name)]


def fast_open_paths(unit: str) -> list[str]:
    """Where the stage keeps its drop-in: nobody else's business while the instance is there, and it goes with it."""
    return [f"{folder}/{unit}.d/{_exec_start.DROP_IN}" for folder in (_service.UNIT_DIR, _service.RUN_UNIT_DIR)]


def config_of(unit: str, seen: Seen) -> dict[str, t.Any]:
    """The config of a deployed unit as it is on the host; {} where there is none that can be read."""
    state = seen.files.get(_service.config_path(*_service.parts(unit)))
    return _secrets.config(state.content if state else None)


def foreign_paths(unit: str, seen: Seen) -> set[str]:
    """Of the files that belong to one instance those that somebody else wrote.

    All where we did not deploy it; and beside a config of ours without an access list that and its drop-in, unless a
    killed run has left them.
    """
    config, acl, drop_in = own_paths(unit)
    there = {path for path in (config, acl, drop_in) if seen.files.get(path) is not None}
    if unit not in seen.owned:
        return there
    state = seen.files.get(drop_in)
    left = state is not None and state.content == _service.drop_in_text(acl).encode()
    return set() if left or config_of(unit, seen).get("acl") == acl else there - {config}


def leaving(wanted: Wanted, owned: t.Mapping[str, str]) -> list[str]:
    """The deployed units of this side that go: of absent instances, surplus workers, with prune all that nobody lists."""
    listed = {service["instance"] for service in wanted.services}
    return [
        unit
        for unit, instance in sorted(_owned.side(owned, wanted.side).items())
        if unit not in wanted.units and (wanted.prune or instance in listed or instance in wanted.absent)
    ]


def compare(wanted: Wanted, seen: Seen) -> Plan:
    """The plan: pure, so check mode, diff mode and the real run cannot disagree."""
    plan = Plan()
    plan.stop = leaving(wanted, seen.owned)
    mine = _owned.side(seen.owned, wanted.side)
    plan.left = sorted(set(mine) - set(wanted.units) - set(plan.stop))
    plan.owned = {unit: name for unit, name in seen.owned.items() if unit not in plan.stop}
    plan.owned.update({unit: service["instance"] for unit, service in wanted.units.items()})
    stay = {unit.partition("@")[0] for unit in [*plan.left, *seen.others]}
    capable = {program for program in stay if _is_capable(seen.files.get(_service.unit_path(program)))}
    plan.files = _service.files(wanted.services, wanted.limit_nofile, seen.programs, capable)
    for path, file in plan.files.items():
        _compare_file(plan, path, file, seen)
    if plan.files and seen.folder is not None and not _access.readable(seen.folder, seen.gid):
        why = f"is {seen.folder[0]:04o}, so that the services cannot read their configs: their group gets it"
        plan.note("file", _service.CONFIG_DIR, why)
    for path in seen.halves:
        plan.remove.append(path)
        plan.note("file", path, "was left half-written: it is removed")
    for unit in plan.stop:
        plan.note("service", unit, "is no longer wanted: it is stopped and removed")
    _compare_leftovers(plan, seen, stay)
    for service in wanted.services:
        _compare_service(plan, service, seen)
    if wanted.packaged and wanted.services and seen.packaged.present and not seen.packaged.touched:
        plan.mask = True
        plan.note("service", _packaged.UNIT, "is the package's own server, which must not listen: it is masked")
    touched = any(path.startswith((_service.UNIT_DIR, _service.RUN_UNIT_DIR)) for path in plan.write + plan.remove)
    plan.reload = touched or any(unit.needs_reload for unit in seen.units.values())
    return plan


def _is_capable(template: t.Optional[_files.State]) -> bool:
    """Whether it gives capabilities, which an instance that stays may need."""
    return template is not None and b"\nAmbientCapabilities=CAP" in template.content


def _compare_file(plan: Plan, path: str, file: _service.File, seen: Seen) -> None:
    state = seen.files.get(path)
    gid = (-1 if seen.gid is None else seen.gid) if file.group else 0
    if state is None or state.link or state.content != file.text.encode():
        plan.write.append(path)
        plan.note("file", path, "is missing" if state is None else "has other content")
    elif (state.mode, state.uid, state.gid) != (file.mode, 0, gid):
        plan.attributes.append(path)
        plan.note("file", path, f"is {state.mode:04o} {state.uid}:{state.gid}, not {file.mode:04o} root:{file.group}")


def _compare_leftovers(plan: Plan, seen: Seen, stay: t.Collection[str]) -> None:
    """Files of what goes, and of what an instance does not have any more. A template goes with its last instance."""
    kept = {path for unit in plan.left for path in [*own_paths(unit), *fast_open_paths(unit)]}
    kept |= {_service.unit_path(program) for program in stay}
    kept |= {path for unit in seen.owned for path in foreign_paths(unit, seen)}
    for path, state in seen.files.items():
        if state is None or path in plan.files or path in kept:
            continue
        if path.endswith(("@.service", f"/{_exec_start.DROP_IN}")) and not is_marked(state):
            continue
        plan.remove.append(path)
        plan.note("file", path, "is no longer wanted: it is removed")


def is_marked(state: _files.State) -> bool:
    """Whether this collection wrote the unit or drop-in."""
    return not state.link and MARK.encode() in state.content.split(b"\n", 1)[0]


def _compare_service(plan: Plan, service: t.Mapping[str, t.Any], seen: Seen) -> None:
    unit = _service.unit(service)
    state = seen.units.get(unit, _systemd.Unit(unit))
    if not state.enabled:
        plan.enable.append(unit)
        plan.note("service", unit, "does not start at boot")
    why = stale(plan, service, state, seen)
    if why:
        plan.restart.append(unit)
        plan.note("service", unit, f"{why}: it is {'restarted' if state.active else 'started'}")


def stale(plan: Plan, service: t.Mapping[str, t.Any], unit: _systemd.Unit, seen: Seen) -> str:
    """Why the service must be restarted, '' when the process is what the files say."""
    process = seen.processes.get(unit.name)
    if not unit.active or process is None:
        return f"is {unit.active_state} ({unit.sub_state})"
    reads = [_service.unit_path(service["program"]), *own_paths(_service.unit(service))]
    if set(reads) & {*plan.write, *plan.remove}:
        return "reads a file that changes"
    newest = max((seen.files[path].mtime for path in reads if seen.files.get(path) is not None), default=0.0)
    if process.started + _process.TICK_SECONDS < newest:
        return "runs since before its files were written"
    return ""
