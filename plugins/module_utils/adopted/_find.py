# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Shadowsocks processes of this network namespace, whoever started them, and what can be done about each."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _ascii,
    _ss_arguments,
    _ss_processes,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _listeners,
    _owned,
    _systemd,
)

_CONTAINER = re.compile(r"docker|libpod|containerd|kubepods|\blxc\b|crio", re.ASCII)
OWN_CLIENT = "it sends by its own config: remove fast_open there, so that it can be undone"
OWN_SERVER = "it has fast_open by its own config, so only the kernel's bits are changed"
PLUGIN = "behind a plugin TCP Fast Open covers only the loopback hop to it"
UDP = "it carries UDP only"
OTHER = "programs other than shadowsocks-libev are not adopted as such; a server can be, as any program: unit and port"


def services(proc: str = "/proc") -> list[dict[str, t.Any]]:
    """One entry a process, see RETURN of tfo_discover; without those that this collection deployed.

    Raises SystemdError, OwnedError.
    """
    namespace = _ss_processes.network_namespace(proc, "self")
    owned = _owned.load()
    found = []
    for pid in sorted(map(int, filter(str.isdigit, os.listdir(proc)))):
        argv = _ss_processes.argv_of(proc, str(pid))
        command = _ss_arguments.parse(argv, _ss_processes.executable(proc, str(pid))) if argv else None
        if command is None or _ss_processes.network_namespace(proc, str(pid)) not in (namespace, None):
            continue
        entry = _entry(pid, argv, command, proc)
        if entry["unit"] not in owned:
            found.append(entry)
    return found


def listeners(known: t.Iterable[t.Mapping[str, t.Any]], proc: str = "/proc") -> list[dict[str, t.Any]]:
    """Every TCP listener that is none of these services."""
    pids = {service["pid"] for service in known}
    ports = {service["port"] for service in known}
    found = [
        {"address": one.address, "port": one.port, "program": one.program, "unit": one.unit}
        for one in _listeners.tcp(proc)
        if one.pid not in pids and (one.pid or one.port not in ports)
    ]
    return [one for at, one in enumerate(found) if one not in found[:at]]


def _entry(pid: int, argv: list[str], command: _ss_arguments.Command, proc: str) -> dict[str, t.Any]:
    _program, unit = _listeners.named(pid, proc)
    entry: dict[str, t.Any] = {
        "side": _side(command.program),
        "program": command.program,
        "family": command.family,
        "unit": unit,
        "pid": pid,
        "enabled": False,
        "addresses": [],
        "port": None,
        "servers": [],
        "method": None,
        "mode": None,
        "plugin": None,
        "fast_open": command.flag,
        "adoptable": False,
        "why": [],
    }
    against = _unit(entry, proc)
    own_flag = command.flag
    if unit and not against:
        try:
            own_flag = _exec_start.read(unit)[1].own_flag
        except _exec_start.Unfit as error:
            against.append(str(error))
    against += _told(entry, [word for word in argv if word != _exec_start.FLAG], own_flag, proc)
    notes = [OWN_SERVER] if entry["fast_open"] and entry["side"] == "server" else []
    entry.update(adoptable=not against, why=[*against, *notes])
    return entry


def _side(program: str) -> str:
    if program in ("ss-manager", "ssmanager"):
        return ""
    return "server" if program.endswith("server") else "client"


def _unit(entry: dict[str, t.Any], proc: str) -> list[str]:
    """Who started it; the unit is given its real Id. Why it cannot be restarted through one."""
    pid, unit = entry["pid"], entry["unit"]
    if _CONTAINER.search(_group(pid, proc)):
        entry["unit"] = ""
        return ["it runs in a container: what is inside of one is left alone"]
    if not unit:
        return ["no unit of systemd runs it: give it one"]
    state = next(iter(_systemd.show([unit]).values()), _systemd.Unit(unit))
    entry.update(unit=state.name, enabled=state.enabled)
    if entry["program"] in ("ss-manager", "ssmanager"):
        return ["a manager starts its servers itself, so no drop-in of theirs can be: give each a unit of its own"]
    if state.pid != pid:
        parent = _ss_processes.argv_of(proc, str(state.pid))
        command = _ss_arguments.parse(parent) if parent else None
        by = command.program if command else "another process"
        return [f"{by} of {state.name} has started it: let the unit start it by itself"]
    return []


def _told(entry: dict[str, t.Any], argv: list[str], own_flag: bool, proc: str) -> list[str]:
    """Fill in what it has been told; why nothing can be adopted that has been told so."""
    if entry["family"] != _ss_arguments.LIBEV:
        return [OTHER]
    if entry["program"] == "ss-manager":
        return []
    try:
        settings = _settings.of_process(entry["pid"], argv, proc)
    except _settings.NotUnderstood as error:
        return [str(error)]
    except OSError as error:
        return [f"its config cannot be read ({error.strerror})"]
    client = entry["side"] == "client"
    entry.update(
        addresses=[settings.local_address] if client else [address for address, _port in settings.servers],
        port=settings.local_port if client else settings.servers[0][1],
        servers=[{"address": address, "port": port} for address, port in settings.servers] if client else [],
        method=settings.method,
        mode=settings.mode,
        plugin=settings.plugin,
        fast_open=own_flag or settings.fast_open,
    )
    reasons = (
        (entry["fast_open"] and client, OWN_CLIENT),
        (settings.plugin, PLUGIN),
        (settings.mode == "udp_only", UDP),
    )
    return [reason for applies, reason in reasons if applies]


def _group(pid: int, proc: str) -> str:
    try:
        return _ascii.read(f"{proc}/{pid}/cgroup")
    except OSError:
        return ""
