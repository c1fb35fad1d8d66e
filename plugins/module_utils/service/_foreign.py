# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a deployment and was written by somebody else: named, and never touched. Pure."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _access,
    _deployment,
    _listeners,
    _observe,
    _owned,
    _packaged,
    _service,
)

REMEDY = (
    "This collection did not write it: move it away, take the instance out of the inventory, or adopt the service as it is"
    " (an instance with unit, see playbook discover)"
)
ANY = ("0.0.0.0", "::")


def refusals(wanted: _observe.Wanted, seen: _observe.Seen) -> list[str]:
    """One line for each thing that the deployment would overwrite, stop, mask, remove or run into."""
    found = []
    for program in sorted({service["program"] for service in wanted.services}):
        found += _template(program, seen)
    for unit in wanted.units:
        found += _unit(unit, wanted, seen)
    changing = _changing(wanted, seen)
    for unit in _deployment.leaving(wanted, seen.owned):
        fragment = seen.units[unit].fragment if unit in seen.units else "a unit of another name"
        if fragment not in ("", _service.unit_path(unit.partition("@")[0])):
            found.append(f"{fragment}, from which {unit} runs by now, is a unit of somebody else and would be stopped")
    if wanted.packaged and wanted.services and seen.packaged.touched and seen.packaged.used:
        unit = seen.packaged.unit
        found.append(
            f"{unit.name} ({unit.active_state}, {'starts' if unit.enabled else 'does not start'} at boot) is somebody's"
            f" service ({seen.packaged.touched}) and would be masked; with shadowsocks_install: none it stays beside ours"
        )
    others = [f"{line}. {REMEDY}" for line in found]
    return [
        *others,
        *changing,
        *_ports(wanted, seen),
        *_folder(wanted, seen),
        *_uninstallable(wanted, seen),
        *_plugins(seen),
    ]


def _plugins(seen: _observe.Seen) -> list[str]:
    """Without its plugin nothing goes through a service, and it may run all the same."""
    return [
        f"{unit} cannot start its plugin: {why}. Install it, give its path, or take plugin out of the instance"
        for unit, why in sorted(seen.plugins.items())
    ]


def _uninstallable(wanted: _observe.Wanted, seen: _observe.Seen) -> list[str]:
    """Programs that nothing on this host can install."""
    missing = sorted({os.path.basename(path) for name, path in seen.programs.items() if name not in seen.installed})
    if not missing or not wanted.by_apt or seen.apt:
        return []
    return [
        f"{', '.join(missing)} is not installed, and apt-get, which shadowsocks_install: package takes, is not here (no Debian,"
        " no Ubuntu): set shadowsocks_install: archive, or install it yourself and set none"
    ]


def _template(program: str, seen: _observe.Seen) -> list[str]:
    path = _service.unit_path(program)
    state = seen.files.get(path)
    if state is None or _observe.is_marked(state):
        return []
    what = f"is a link to {state.content.decode(errors='replace')}" if state.link else "is a unit of somebody else"
    users = sorted(unit for unit in seen.others if unit.startswith(f"{program}@"))
    return [f"{path} {what}{f' (used by {chr(44).join(users)})' if users else ''} and would be overwritten"]


def _changing(wanted: _observe.Wanted, seen: _observe.Seen) -> list[str]:
    """Instances that stay although nobody lists them, where their template starts another implementation from now on."""
    found = []
    for program, path in sorted(seen.programs.items()):
        state = seen.files.get(_service.unit_path(program))
        before, now = _service.started(state.content if state else b""), os.path.basename(path)
        if before in ("", now):
            continue
        mine = _owned.side(seen.owned, wanted.side)
        staying = {*mine, *seen.others} - {*wanted.units, *_deployment.leaving(wanted, seen.owned)}
        found += [
            f"{unit} is not listed, stays, and would start {now} with a config of {before}: list it, or list it with state:"
            f" absent, or set ss_{wanted.side}_prune: true"
            for unit in sorted(staying)
            if unit.startswith(f"{program}@")
        ]
    return found


def _unit(unit: str, wanted: _observe.Wanted, seen: _observe.Seen) -> list[str]:
    """A unit file that systemd would take in place of our template, and files that stand where ours would."""
    program = unit.partition("@")[0]
    found = []
    state = seen.units.get(unit)
    if state is None:
        found.append(f"{unit} is another name of a unit of somebody else")
    elif state.load_state == "masked":
        found.append(f"{unit} is masked")
    elif state.fragment and state.fragment != _service.unit_path(program):
        found.append(f"{state.fragment}, from which {unit} would run, is a unit of somebody else")
    foreign = _observe.foreign_paths(unit, seen)
    if unit in seen.owned and wanted.units[unit].get("acl") is None:
        foreign = set()  # nothing of ours takes their place, and they stay
    return [*found, *(f"{path} is there and would be overwritten" for path in sorted(foreign))]


def _ports(wanted: _observe.Wanted, seen: _observe.Seen) -> list[str]:
    ours = {*wanted.units, *_deployment.leaving(wanted, seen.owned)}
    if wanted.packaged and seen.packaged.present and not seen.packaged.touched:
        ours.add(_packaged.UNIT)
    found = []
    for unit, service in wanted.units.items():
        for holder in seen.holders:
            holder = _told(holder, seen)
            if holder.unit not in ours and _meet(service, holder):
                found.append(f"{unit} cannot listen on {_where(service)}: {holder}. {_left(holder, seen)}")
    return list(dict.fromkeys(found))


def _told(holder: _listeners.Holder, seen: _observe.Seen) -> _listeners.Holder:
    """Instances of one template share a user: of those that we deployed, the config tells which one has the port."""
    if not holder.maybe or not set(holder.maybe) <= set(seen.owned):
        return holder
    for unit in holder.maybe:
        if holder.port == _observe.port_of(unit, seen):
            return holder._replace(unit=unit)
    return holder


def _where(service: t.Mapping[str, t.Any]) -> str:
    return f"{', '.join(_service.addresses(service))} port {_service.port(service)}"


def _left(holder: _listeners.Holder, seen: _observe.Seen) -> str:
    """A service of ours that left the inventory holds what somebody else wants now."""
    if holder.unit not in seen.owned:
        return "Stop it, or give the instance another port"
    side = "server" if holder.unit.startswith("ss-server@") else "client"
    name = seen.owned[holder.unit]
    return f"It was deployed as instance {name}: list that with state: absent, set ss_{side}_prune: true, or take another port"


def _meet(service: t.Mapping[str, t.Any], holder: _listeners.Holder) -> bool:
    """Whether both cannot have the port: same protocol, and one address in common. A name may be any address."""
    if holder.protocol not in _service.protocols(service) or holder.port != _service.port(service):
        return False
    if holder.address in ANY:
        return True
    either = ("::",) if ":" in holder.address else ANY  # all of IPv4 is nothing of IPv6
    return any(
        address in either or address == holder.address or _is_name(address) for address in _service.addresses(service)
    )


def _is_name(address: str) -> bool:
    return not (":" in address or address.replace(".", "").isdigit())


def _folder(wanted: _observe.Wanted, seen: _observe.Seen) -> list[str]:
    """The services' user reads its config as a member of the group: a folder of somebody else may shut it out."""
    if seen.distrusted:
        return [seen.distrusted]
    if not wanted.services or seen.folder is None:
        return []
    if _access.readable(seen.folder, seen.gid) or seen.owned:  # ours: apply puts it right
        return []
    mode, _uid, gid = seen.folder
    group = f"groupadd --system {_service.GROUP}; " if seen.gid is None else ""
    return [
        f"{_service.CONFIG_DIR} has mode {mode:04o} and group {gid}, so that the services cannot read their configs"
        f" (make it so: {group}chgrp {_service.GROUP} {_service.CONFIG_DIR} && chmod 0750 {_service.CONFIG_DIR})"
    ]
