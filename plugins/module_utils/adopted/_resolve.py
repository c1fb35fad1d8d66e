# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an adopted instance, a unit's name, to the services that it is: read on the host, which keeps what it reads."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import (
    _addresses,
    _adoptable,
    _config,
    _settings,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _identify,
    _listeners,
    _owned,
    _process,
    _service,
    _systemd,
)

SPEC: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str", "required": True},
        "unit": {"type": "str", "required": True},
        "port": {"type": "int"},
        "server_host": {"type": "str"},
        "server_hosts": {"type": "dict", "default": {}},
    },
}

_RESTART = "restart it yourself first, so that a step brings nothing but TCP Fast Open"

Instance = t.Mapping[str, t.Any]
Service = dict[str, t.Any]


class Adopted(t.NamedTuple):
    """``services`` as in SERVICE_SPEC with their secrets, and with ``unit``, the unit's real Id; a client of several
    servers is one a server. ``fast_open_mode`` is in those that can have no other: ``listener`` for any program,
    ``own`` for a server that has fast_open by its own config. ``executable`` is the file that a client runs.

    ``reasons`` say which instances are none of them, and why. ``own`` are the units that have fast_open by their own config,
    among the services or not.
    """

    services: list[Service]
    reasons: list[str]
    own: list[str]


class _Unfit(Exception):
    """This one is not to be adopted; the message says why, and what to do."""


class _SendsItself(_Unfit):
    """A client with fast_open of its own."""


def resolve(side: str, instances: t.Optional[t.Sequence[Instance]]) -> Adopted:
    """What these instances of a side are by now. Never raises: the way down has to go on without them."""
    found = Adopted([], [], [])
    names: dict[str, str] = {}  # by unit
    for instance in instances or ():
        try:
            services = _resolve(side, instance)
            first = names.setdefault(services[0]["unit"], instance["name"])
            if first != instance["name"]:
                raise _Unfit(f"{instance['unit']} is the unit that {first} adopts: keep one of them")
            found.services.extend(services)
            found.own.extend(sorted({one["unit"] for one in services if one.get("fast_open_mode") == "own"}))
        except _SendsItself as error:
            found.own.append(_identify.identify(instance["unit"]))
            found.reasons.append(f"{instance['name']}: {error}")
        except (_Unfit, _exec_start.Unfit, _settings.NotUnderstood, _owned.OwnedError, _systemd.SystemdError) as error:
            found.reasons.append(f"{instance['name']}: {error}")
        except (OSError, ValueError) as error:  # ValueError: a path that this locale cannot name
            why = getattr(error, "strerror", None) or "a path of it cannot be named"
            found.reasons.append(f"{instance['name']}: {instance['unit']} or its config cannot be read: {why}")
    return found


def _resolve(side: str, instance: Instance) -> list[Service]:
    unit = _identify.identify(instance["unit"])
    if unit in _owned.load():
        raise _Unfit(f"{unit} was deployed by this collection: list it as an instance of its own, without unit")
    state = _systemd.show([unit])[unit]
    process = _running(unit, state)
    _refuse_changed(unit, state, process)
    common = {"unit": unit, "name": instance["name"], "instance": instance["name"]}
    if instance.get("port") is not None:
        return [{**common, **_any_program(unit, state.pid, instance["port"])}]
    argv = process.argv
    if argv[-1:] == [_exec_start.FLAG] and _exec_start.DROP_IN in state.drop_ins:  # ours; any other is theirs
        argv = argv[:-1]
    return [{**common, **service} for service in _shadowsocks(side, unit, state.pid, argv, process.started, instance)]


def _running(unit: str, state: _systemd.Unit) -> _process.Process:
    if not state.active:
        raise _Unfit(f"{unit} is {state.active_state} ({state.sub_state}): only what runs can be adopted; start it")
    if not state.pid:
        raise _Unfit(f"{unit}: {_adoptable.NO_MAIN_PROCESS}")
    process = _process.read(state.pid)
    if process is None:
        raise _Unfit(f"{unit} ended just now: only what runs can be adopted; see journalctl --unit {unit}")
    return process


def _refuse_changed(unit: str, state: _systemd.Unit, process: _process.Process) -> None:
    """A restart must bring nothing but our change: an edit that its owner has not brought into effect is his to try."""
    if state.needs_reload and _exec_start.DROP_IN not in state.drop_ins:
        raise _Unfit(f"{unit}: its unit has changed: systemctl daemon-reload, and restart it")
    files = [path for path in state.drop_ins.split() if os.path.basename(path) != _exec_start.DROP_IN]
    told = _systemd.systemctl("show", "--property=EnvironmentFiles", "--", unit).split("\n")
    files += [line.partition("=")[2].rpartition(" (")[0] for line in told]
    for path in (state.fragment, *files):
        with contextlib.suppress(OSError):
            if os.stat(path).st_mtime > process.started:
                raise _Unfit(f"{path} has changed after the start of {unit}: {_RESTART}")


def _any_program(unit: str, pid: int, port: int) -> Service:
    """A server program of which nothing need be known but where it listens."""
    holders = [one for one in _listeners.holders({port}, [pid]) if one.protocol.startswith("tcp")]
    mine = [one for one in holders if one.unit == unit or unit in one.maybe]
    if not mine:
        others = "; ".join(str(one) for one in holders)
        raise _Unfit(f"{unit} does not listen on TCP port {port}{f' ({others})' if others else ''}: correct the port")
    return {
        "program": "",
        "server": sorted({one.address for one in mine}),
        "server_port": port,
        "mode": "tcp_only",
        "fast_open_mode": "listener",
    }


def _shadowsocks(side: str, unit: str, pid: int, argv: list[str], started: float, instance: Instance) -> list[Service]:
    """By the running process's own arguments and config. Raises _Unfit, NotUnderstood, Unfit, OSError."""
    settings, changed = _config.settings(pid, argv)
    below = _exec_start.read(unit)[1]
    if changed > started:
        raise _Unfit(f"the config of {unit} has changed after its start: {_RESTART}")
    if settings.program not in _service.SIDES[side]:
        raise _Unfit(f"{unit} runs {settings.program}, which is no {side}")
    own = below.own_flag or settings.fast_open
    if own and side == "client":
        raise _SendsItself(f"{unit}: {_adoptable.SENDS_ITSELF}")
    service: Service = {
        "implementation": settings.implementation,
        "program": settings.program,
        "executable": _adoptable.executable(below, argv),
        "mode": settings.mode,
        "timeout_seconds": 300,
    }
    if side == "server":
        addresses, first = [one.address for one in settings.servers], settings.servers[0]
        mode = {"fast_open_mode": "own"} if own else {}
        return [{**service, **_access(first), "server": addresses, "server_port": first.port, **mode}]
    local = {"local_address": settings.local_address, "local_port": settings.local_port}
    tunnel = {"tunnel_address": settings.tunnel_address} if settings.tunnel_address else {}
    return [
        {
            **service,
            **_access(one),
            **local,
            **tunnel,
            **_host(one.address, instance),
            "server": [one.address],
            "server_port": one.port,
        }
        for one in settings.servers
    ]


def _access(server: _settings.Server) -> Service:
    """How one gets through to it."""
    plugin = {"plugin": server.plugin} if server.plugin else {}
    return {"method": server.method, **plugin, **server.secrets}


def _host(address: str, instance: Instance) -> Service:
    """The inventory host that a client's server is, where that is known: by name, else by its address."""
    host = instance.get("server_host") or instance.get("server_hosts", {}).get(_addresses.normal(address))
    return {"server_host": host} if host else {}
