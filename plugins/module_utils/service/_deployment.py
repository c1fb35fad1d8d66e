# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the services of one side of a host differ from what is wanted, and the steps from one to the other. Pure.

It changes nothing, and knows nothing of TCP Fast Open: that is the stage's, in a drop-in that stays with its instance.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _access,
    _exec_start,
    _files,
    _observe,
    _owned,
    _packaged,
    _service,
    _systemd,
)


@dataclasses.dataclass
class Plan:
    """The steps from what is seen to what is wanted.

    ``differs`` has one {what, name, why} for each thing that is not as wanted; ``left`` are deployed units that nobody
    lists any more and that stay; ``owned`` is the record as it will be. Files that go are in ``remove``, and in ``leave``
    those of the units to ``stop``, which need them until then.
    """

    files: dict[str, _service.File] = dataclasses.field(default_factory=dict)
    write: list[str] = dataclasses.field(default_factory=list)
    attributes: list[str] = dataclasses.field(default_factory=list)
    remove: list[str] = dataclasses.field(default_factory=list)
    leave: list[str] = dataclasses.field(default_factory=list)
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


def leaving(wanted: _observe.Wanted, owned: t.Mapping[str, str]) -> list[str]:
    """The deployed units of this side that go: of absent instances, surplus workers, with prune all that nobody lists."""
    listed = {service["instance"] for service in wanted.services}
    return [
        unit
        for unit, instance in sorted(_owned.side(owned, wanted.side).items())
        if unit not in wanted.units and (wanted.prune or instance in listed or instance in wanted.absent)
    ]


def compare(wanted: _observe.Wanted, seen: _observe.Seen) -> Plan:
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
    plan.reload = read_by_systemd(plan.write + plan.remove) or any(unit.needs_reload for unit in seen.units.values())
    return plan


def read_by_systemd(paths: t.Iterable[str]) -> bool:
    """Whether any of these is a file of a unit."""
    return any(path.startswith((_service.UNIT_DIR, _service.RUN_UNIT_DIR)) for path in paths)


def _is_capable(template: t.Optional[_files.State]) -> bool:
    """Whether it gives capabilities, which an instance that stays may need."""
    return template is not None and b"\nAmbientCapabilities=CAP" in template.content


def _compare_file(plan: Plan, path: str, file: _service.File, seen: _observe.Seen) -> None:
    state = seen.files.get(path)
    gid = (-1 if seen.gid is None else seen.gid) if file.group else 0
    if state is None or state.link or state.content != file.text.encode():
        plan.write.append(path)
        plan.note("file", path, "is missing" if state is None else "has other content")
    elif (state.mode, state.uid, state.gid) != (file.mode, 0, gid):
        plan.attributes.append(path)
        plan.note("file", path, f"is {state.mode:04o} {state.uid}:{state.gid}, not {file.mode:04o} root:{file.group}")


def _compare_leftovers(plan: Plan, seen: _observe.Seen, stay: t.Collection[str]) -> None:
    """Files of what goes, and of what an instance does not have any more. A template goes with its last instance."""
    kept = {path for unit in plan.left for path in [*_observe.own_paths(unit), *_observe.fast_open_paths(unit)]}
    kept |= {_service.unit_path(program) for program in stay}
    kept |= {path for unit in seen.owned for path in _observe.foreign_paths(unit, seen)}
    stopped = {path for unit in plan.stop for path in [*_observe.own_paths(unit), *_observe.fast_open_paths(unit)]}
    for path, state in seen.files.items():
        if state is None or path in plan.files or path in kept:
            continue
        if path.endswith(("@.service", f"/{_exec_start.DROP_IN}")) and not _observe.is_marked(state):
            continue
        (plan.leave if path in stopped or path.endswith("@.service") else plan.remove).append(path)
        plan.note("file", path, "is no longer wanted: it is removed")


def _compare_service(plan: Plan, service: t.Mapping[str, t.Any], seen: _observe.Seen) -> None:
    unit = _service.unit(service)
    state = seen.units.get(unit, _systemd.Unit(unit))
    if not state.enabled:
        plan.enable.append(unit)
        plan.note("service", unit, "does not start at boot")
    why = stale(plan, service, state, seen)
    if why:
        plan.restart.append(unit)
        plan.note("service", unit, f"{why}: it is {'restarted' if state.active else 'started'}")


def stale(plan: Plan, service: t.Mapping[str, t.Any], unit: _systemd.Unit, seen: _observe.Seen) -> str:
    """Why the service must be restarted, '' when the process is what the files say."""
    process = seen.processes.get(unit.name)
    if not unit.active or process is None:
        return f"is {unit.active_state} ({unit.sub_state})"
    reads = [_service.unit_path(service["program"]), *_observe.own_paths(_service.unit(service))]
    if set(reads) & {*plan.write, *plan.remove}:
        return "reads a file that changes"
    written = [state.mtime for state in map(seen.files.get, reads) if state is not None]
    if any(map(process.older_than, written)):
        return "runs since before its files were written"
    if process.older_than(seen.installed.get(service["program"], 0.0)):
        return f"runs since before {seen.programs[service['program']]} was written"
    if unit.name in seen.unplugged:
        return "runs without its plugin"
    return ""
