# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof by real packets that a side of a host does what its stage promises. Reads only."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _listeners,
    _process,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record, _requests

PROBE_ATTEMPTS = 4
"""The first attempt may only fetch the cookie, and Linux tries option 34 and 254 in turn: the last one counts."""

EXPLAINED = {
    "no_cookie": "the server or the path grants no cookie, so TFO would save nothing",
    "data_refused": "SYN data is not acknowledged, so TFO would save nothing",
    "syn_dropped": "SYNs with TFO are lost, so every connection would take a second longer",
    "client_off": "this kernel may not send SYN data (bit 0x1 of net.ipv4.tcp_fastopen)",
    "paused": "this kernel has paused TFO after timeouts (net.ipv4.tcp_fastopen_blackhole_timeout_sec)",
    "unreachable": "no connection at all, not even a plain one",
}


NO_SERVICE = "no instance is listed here"
NO_CARRIER = "no service carries TCP itself: behind a plugin TFO covers only the loopback hop"


def carriers(services: t.Sequence[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """The services whose TCP goes from a Shadowsocks client to its server with nothing between."""
    return [service for service in services if service.get("plugin") is None and service["mode"] != "udp_only"]


def paths(
    services: t.Sequence[t.Mapping[str, t.Any]], planned: t.Container[str] = ()
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """The probed paths of a client's services, and the reasons against TFO on them (none: all carry it).

    A path to a planned server counts only if it loses SYNs: what that server does not do yet is not the path's fault.
    """
    found: list[dict[str, t.Any]] = []
    direct = carriers(services)
    reasons = [] if direct else [NO_CARRIER]
    told = {(address, s["server_port"], bool(s.get("ipv6_first"))) for s in direct for address in s["server"]}
    for *target, ipv6_first in sorted(told):
        hosts = sorted({s["server_host"] for s in direct if s.get("server_host") and target[0] in s["server"]})
        path = _path.probe(*target, attempts=PROBE_ATTEMPTS, ipv6_first=ipv6_first)
        found.append({**path, "server_hosts": hosts})
        name = f"{', '.join(hosts) or target[0]} port {target[1]}"
        if found[-1]["verdict"] == "syn_dropped" or (
            found[-1]["verdict"] != "fast_open" and not any(host in planned for host in hosts)
        ):
            reasons.append(f"{found[-1]['verdict']}: {name}: {EXPLAINED[found[-1]['verdict']]}")
    return found, reasons


def accepts(services: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """A SYN with data to each running server of this host, over the first of its addresses that takes a connection: a
    service may be bound to ``::`` alone, and to ``::`` and ``0.0.0.0`` where there is no IPv6."""
    bound = sorted({(one["server_port"], *_requests.own_addresses(one["server"])) for one in carriers(services)})
    return [_accepts(port, addresses) for port, *addresses in bound]


def _accepts(port: int, addresses: t.Sequence[str]) -> dict[str, t.Any]:
    path: dict[str, t.Any] = {}
    for address in addresses:
        path = _path.probe(address, port, attempts=PROBE_ATTEMPTS)
        if path["verdict"] != "unreachable":
            break
    return path


def carry(paths: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    """Whether all of these carry TFO now, whatever a run promises of their servers."""
    return all(path["verdict"] == "fast_open" for path in paths)


def refusals(paths: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Why the probed servers of this host do not accept; empty when all do."""
    return [
        f"{path['verdict']}: port {path['port']} does not accept SYN data"
        for path in paths
        if path["verdict"] != "fast_open"
    ]


def unflagged(units: t.Mapping[str, _record.Unit]) -> list[str]:
    """Reasons against the services whose process has not got our flag, whatever the files say."""
    reasons = []
    for unit, state in _systemd.show(sorted(units)).items():
        process = _process.read(state.pid) if state.pid else None
        if units[unit]["mode"] == "flag" and (process is None or _exec_start.FLAG not in process.argv):
            reasons.append(
                f"{unit} runs without {_exec_start.FLAG}, although {_exec_start.DROP_IN} adds it: see systemctl cat"
            )
    return reasons


def plain(units: t.Mapping[str, _record.Unit]) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Whether these services run without TFO and answer: by argv, unit state, and a request of the kind they serve.

    Requests as ``_requests.through`` returns them, and the reasons against. A service that is stopped is nobody's fault:
    it was so before.
    """
    found: list[dict[str, t.Any]] = []
    reasons = []
    for unit, state in sorted(_systemd.show(sorted(units)).items()):
        entry = units[unit]
        if state.active_state == "inactive":
            continue
        process = _process.read(state.pid) if state.active else None
        if process is None:
            why = f": {state.refused}" if state.refused else ""
            reasons.append(f"{unit} is {state.active_state} ({state.sub_state}){why}")
        elif entry["mode"] == "flag" and _exec_start.FLAG in process.argv:
            reasons.append(f"{unit} still runs with {_exec_start.FLAG}")
        elif entry["url"]:
            told, errors = _requests.through(unit, entry["address"], entry["port"], entry["url"], 1)
            found.append(told)
            reasons += errors
        elif entry["port"] is not None and not _answers(entry):
            reasons.append(f"{unit} takes no connection on port {entry['port']}")
    return found, reasons


def _answers(entry: _record.Unit) -> bool:
    """By the address that is kept of it, or by any that a socket of its port is bound to."""
    tried = {_requests.asked_at(entry["address"])}
    if _attempt.plain(*tried, entry["port"], timeout=_requests.FETCH_SECONDS).connected:
        return True
    others = {
        _requests.asked_at(one.address) for one in _listeners.holders({entry["port"]}) if one.protocol == "tcp"
    } - tried
    return any(_attempt.plain(one, entry["port"], timeout=_requests.FETCH_SECONDS).connected for one in sorted(others))
