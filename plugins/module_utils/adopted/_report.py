# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tfo_discover returns: what was found, free of secrets, arguments and paths."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import (
    _addresses,
    _adoptable,
    _find,
    _settings,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _listeners, _owned

_SIDES = {"server": "server", "manager": ""}
"""By role; every other role is a client's."""


def report(proc: str = "/proc") -> dict[str, t.Any]:
    """Look at this host. Raises OwnedError."""
    ours = sorted(_owned.load())
    found, sockets = _find.look(proc)
    others = [one for one in found if one.unit not in ours]
    services = [_service(one, judged) for one, judged in zip(others, _adoptable.judge(others))]
    units = {one.unit for one in found if one.unit} | set(ours)
    return {
        "services": sorted(services, key=lambda one: (one["unit"], one["pid"])),
        "listeners": _others(sockets, {one.pid for one in found}, units),
        "addresses": _addresses.read(proc),
        "ours": ours,
    }


def _service(found: _find.Found, judged: _adoptable.Judged) -> dict[str, t.Any]:
    settings = found.settings
    side = _SIDES.get(found.role, "client")
    addresses, ports = sorted({one.address for one in found.sockets}), {one.port for one in found.sockets}
    servers: t.Sequence[_settings.Server] = ()
    told = settings.servers if settings else ()
    if settings is not None and settings.local_port is None:
        addresses, ports = [one.address for one in settings.servers], {settings.servers[0].port}
    elif settings is not None:
        addresses, ports, servers = [str(settings.local_address)], {settings.local_port}, settings.servers
    return {
        "side": side,
        "program": found.program,
        "family": found.family,
        "unit": judged.unit,
        "pid": found.pid,
        "enabled": judged.enabled,
        "addresses": list(map(_ascii.shown, addresses)),
        "port": ports.pop() if len(ports) == 1 else None,
        "servers": [{"address": _ascii.shown(one.address), "port": one.port} for one in servers],
        "method": ", ".join(dict.fromkeys(_ascii.shown(one.method) for one in told)) or None,
        "mode": settings.mode if settings else None,
        "plugin": next((_plugin(one.plugin) for one in told if one.plugin), None),
        "fast_open": judged.fast_open,
        "adoptable": judged.adoptable,
        "why": judged.why,
    }


def _others(
    sockets: t.Iterable[_listeners.Holder], pids: t.Container[int], units: t.Container[str]
) -> list[dict[str, t.Any]]:
    """Listeners that are neither those of Shadowsocks nor of a plugin beside it, by port."""
    found = []
    for one in sockets:
        of_shadowsocks = bool(one.maybe) and all(unit in units for unit in one.maybe)
        if one.pid not in pids and one.unit not in units and not of_shadowsocks:
            found.append(one if one.pid else one._replace(program=""))
    return _listeners.told(sorted(found, key=lambda one: (one.port, one.address, one.program, one.unit)))


def _plugin(command: str) -> str:
    """Its base name: a shell runs it, so what stands behind the first word may be a secret."""
    return _ascii.shown((command.split() or [""])[0].rpartition("/")[2])
