# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of one side (server or client) of a host, and what is there. Changes nothing."""

from __future__ import annotations

import dataclasses
import glob
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _access,
    _binary,
    _exec_start,
    _files,
    _folders,
    _listeners,
    _owned,
    _packaged,
    _plugin,
    _process,
    _restart,
    _secrets,
    _service,
    _systemd,
)

MARK = "(fastopen.shadowsocks)"
"""In the first line of a template unit, and of a drop-in of the stage, that this collection wrote."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The services of one side. A deployed instance that is not among them goes if it is named in ``absent``, or with
    ``prune``; else it stays. ``packaged``: whether the package's own server is kept from listening. ``by_apt``: whether
    programs that are missing are to be installed by apt. ``archive``: by architecture the checksum of the archive that the
    binaries come from, none where that is left to somebody else.
    """

    side: str
    services: t.Sequence[t.Mapping[str, t.Any]]
    limit_nofile: int = 65536
    absent: t.Collection[str] = ()
    prune: bool = False
    packaged: bool = True
    by_apt: bool = False
    archive: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def units(self) -> dict[str, t.Mapping[str, t.Any]]:
        """The services by unit."""
        return {_service.unit(service): service for service in self.services}


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is on the host.

    ``owned`` are the units that this collection has deployed, of both sides, with their instances. ``programs`` are the
    files that the wanted services' programs are and ``installed`` when each was written; ``others`` the enabled or running
    instances of our templates that we did not deploy, ``halves`` files that a killed run has left half-written, maybe with
    a password in them, ``links`` those by which the deployed units of this side start at boot. ``distrusted``: why nothing
    is written to the folder of the configs, '' where it may be. ``plugins``: by wanted unit why its plugin cannot be started;
    ``unplugged`` are units whose process runs without the plugin of its config.
    """

    owned: t.Mapping[str, str]
    files: t.Mapping[str, t.Optional[_files.State]]
    units: t.Mapping[str, _systemd.Unit]
    processes: t.Mapping[str, t.Optional[_process.Process]]
    gid: t.Optional[int]
    packaged: _packaged.Packaged
    folder: t.Optional[_access.Folder] = None
    programs: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    installed: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    apt: bool = True
    holders: t.Sequence[_listeners.Holder] = ()
    others: t.Collection[str] = ()
    halves: t.Sequence[str] = ()
    links: t.Mapping[str, t.Optional[_files.State]] = dataclasses.field(default_factory=dict)
    distrusted: str = ""
    plugins: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    unplugged: t.Collection[str] = ()


def observe(wanted: Wanted) -> Seen:
    """Read files, units, processes and listeners that matter to this side. Raises OwnedError, OSError, and SystemdError,
    also where systemd is too old for what would be written."""
    _systemd.require()
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
    binaries = _programs(wanted.services)
    files = {path: _files.read(path) for path in sorted(paths)}
    return Seen(
        owned=owned,
        files=files,
        units=shown,
        processes={name: _process.read(unit.pid) if unit.pid else None for name, unit in shown.items()},
        gid=_access.group_id(),
        packaged=_packaged.read(shown.get(_packaged.UNIT, _systemd.Unit(_packaged.UNIT))),
        folder=_access.folder(),
        programs=binaries,
        installed={program: _binary.installed(path) for program, path in binaries.items() if os.path.exists(path)},
        apt=_binary.find("apt-get") is not None,
        holders=_listeners.holders(ports, [shown[unit].pid for unit in units if unit in shown and shown[unit].pid]),
        distrusted=_folders.refusal(_service.CONFIG_DIR),
        halves=sorted({*glob.glob(_files.temporary(f"{glob.escape(_service.CONFIG_DIR)}/*")), *_halves(paths)}),
        links={path: _files.read(path) for unit in mine for path in _restart.links(unit)},
        others=(_enabled(wanted.side) | running) - set(owned) - set(wanted.units),
        plugins={unit: why for unit, why in map(_refusal, wanted.units.items()) if why},
        unplugged=[unit for unit in mine if unit in shown and _is_unplugged(shown[unit], files)],
    )


def _refusal(wanted: tuple[str, t.Mapping[str, t.Any]]) -> tuple[str, str]:
    unit, plugin = wanted[0], wanted[1].get("plugin") or ""
    return unit, _plugin.refusal(plugin, _plugin.folders(unit)) if plugin else ""


def _is_unplugged(unit: _systemd.Unit, files: t.Mapping[str, t.Optional[_files.State]]) -> bool:
    state = files.get(_service.config_path(*_service.parts(unit.name)))
    return bool(unit.pid and state and _plugin.of(_secrets.config(state.content)) and not _plugin.running(unit.pid))


def _programs(services: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """The file that each program is: all services of one share its template, and with it the implementation."""
    implementations = {service["program"]: _implementations.of(service) for service in services}
    return {program: _binary.started(program, one) for program, one in implementations.items()}


def _enabled(side: str) -> set[str]:
    links = f"{_service.UNIT_DIR}/*.wants"
    return {
        os.path.basename(path) for program in _service.SIDES[side] for path in glob.glob(f"{links}/{program}@*.service")
    }


def _halves(paths: t.Iterable[str]) -> list[str]:
    return [path for path in map(_files.temporary, paths) if os.path.lexists(path)]


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


def port_of(unit: str, seen: Seen) -> t.Any:
    """Where a deployed unit listens by its config as it is on the host, None where that does not say."""
    return _listens(unit, seen).get("server_port" if _is_server(unit) else "local_port")


def mode_of(unit: str, seen: Seen) -> t.Any:
    """Which protocols a deployed unit serves by that config."""
    return _listens(unit, seen).get("mode")


def _listens(unit: str, seen: Seen) -> dict[str, t.Any]:
    """The part of a config that says where it listens: libev has one, rust a list."""
    config = config_of(unit, seen)
    ends = config.get("servers" if _is_server(unit) else "locals", [config])
    return ends[0] if isinstance(ends, list) and ends and isinstance(ends[0], dict) else {}


def _is_server(unit: str) -> bool:
    return unit.partition("@")[0] in _service.SIDES["server"]


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
    left = left or _files.temporary(drop_in) in seen.halves
    return set() if left or config_of(unit, seen).get("acl") == acl else there - {config}


def is_marked(state: _files.State) -> bool:
    """Whether this collection wrote the unit or drop-in."""
    return not state.link and MARK.encode() in state.content.split(b"\n", 1)[0]
