# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an adopted instance, a unit's name, to the services that it is: read on the host, which keeps what it reads."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import (
    _addresses,
    _adoptable,
    _config,
    _running,
    _settings,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._resolve import Adopted, Instance, Service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _identify,
    _listeners,
    _owned,
    _process,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service._identify import Unfit


class _SendsItself(Unfit):
    """A client with fast_open of its own."""


def read(side: str, instances: t.Sequence[Instance]) -> Adopted:
    """What _resolve.resolve gives."""
    found = Adopted([], [], [])
    names: dict[str, str] = {}  # by unit
    for instance in instances:
        try:
            services = _resolve(side, instance)
            first = names.setdefault(services[0]["unit"], instance["name"])
            if first != instance["name"]:
                raise Unfit(f"{instance['unit']} is the unit that {first} adopts: keep one of them")
            found.services.extend(services)
            found.own.extend(sorted({one["unit"] for one in services if one.get("fast_open_mode") == "own"}))
        except _SendsItself as error:
            found.own.append(_identify.identify(instance["unit"]))
            found.reasons.append(f"{instance['name']}: {error}")
        except (Unfit, _settings.NotUnderstood, _owned.OwnedError, _systemd.SystemdError) as error:
            found.reasons.append(f"{instance['name']}: {error}")
        except (OSError, ValueError) as error:  # ValueError: a path that this locale cannot name
            why = getattr(error, "strerror", None) or "a path of it cannot be named"
            found.reasons.append(f"{instance['name']}: {instance['unit']} or its config cannot be read: {why}")
    return found


def _resolve(side: str, instance: Instance) -> list[Service]:
    unit = _identify.identify(instance["unit"])
    if unit in _owned.load():
        raise Unfit(f"{unit} was deployed by this collection: list it as an instance of its own, without unit")
    state = _systemd.show([unit])[unit]
    process = _running.process(unit, state)
    _running.refuse_edited(unit, state, process)
    common = {"unit": unit, "name": instance["name"], "instance": instance["name"]}
    if instance.get("port") is not None:
        return [{**common, **_any_program(unit, state.pid, instance["port"])}]
    argv = process.argv
    if argv[-1:] == [_exec_start.FLAG] and _exec_start.DROP_IN in state.drop_ins:  # ours; any other is theirs
        argv = argv[:-1]
    return [{**common, **service} for service in _shadowsocks(side, unit, state.pid, argv, process, instance)]


def _any_program(unit: str, pid: int, port: int) -> Service:
    """A server program of which nothing need be known but where it listens."""
    holders = [one for one in _listeners.holders({port}, [pid]) if one.protocol.startswith("tcp")]
    mine = [one for one in holders if one.unit == unit or unit in one.maybe]
    if not mine:
        others = "; ".join(str(one) for one in holders)
        raise Unfit(f"{unit} does not listen on TCP port {port}{f' ({others})' if others else ''}: correct the port")
    return {
        "program": "",
        "server": sorted({one.address for one in mine}),
        "server_port": port,
        "mode": "tcp_only",
        "fast_open_mode": "listener",
    }


def _shadowsocks(
    side: str, unit: str, pid: int, argv: list[str], process: _process.Process, instance: Instance
) -> list[Service]:
    """By the running process's own arguments and config. Raises Unfit, NotUnderstood, OSError."""
    settings, changed = _config.settings(pid, argv)
    below = _exec_start.read(unit)[1]
    if process.older_than(changed):
        raise Unfit(f"the config of {unit} has changed after its start: {_running.RESTART}")
    if settings.program not in _service.SIDES[side]:
        raise Unfit(f"{unit} runs {settings.program}, which is no {side}")
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
    local: Service = {"local_address": settings.local_address, "local_port": settings.local_port}
    local.update({"ipv6_first": True} if settings.ipv6_first else {})
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
