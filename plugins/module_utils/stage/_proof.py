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
    _secrets,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._temporary import ClientError, TemporaryClient

PROBE_ATTEMPTS = 4
"""The first attempt may only fetch the cookie, and Linux tries option 34 and 254 in turn: the last one counts."""
FETCHES = 2
"""Answers through a client after its change: two, so that both a first and a second connection were seen."""
FAILURES = 3
"""A service that fails so many requests before it has answered those is silent; a single failure may be the network's."""
FETCH_SECONDS = 10.0

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
    for target in sorted({(address, s["server_port"]) for s in direct for address in s["server"]}):
        hosts = sorted({s["server_host"] for s in direct if s.get("server_host") and target[0] in s["server"]})
        found.append({**_path.probe(*target, attempts=PROBE_ATTEMPTS), "server_hosts": hosts})
        name = f"{', '.join(hosts) or target[0]} port {target[1]}"
        if found[-1]["verdict"] == "syn_dropped" or (
            found[-1]["verdict"] != "fast_open" and not any(host in planned for host in hosts)
        ):
            reasons.append(f"{found[-1]['verdict']}: {name}: {EXPLAINED[found[-1]['verdict']]}")
    return found, reasons


def accepts(services: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """A SYN with data to each running server of this host, over the first of its addresses that takes a connection: a
    service may be bound to ``::`` alone, and to ``::`` and ``0.0.0.0`` where there is no IPv6."""
    bound = sorted({(service["server_port"], *map(_asked_at, service["server"])) for service in carriers(services)})
    return [_accepts(port, sorted(addresses, key=_asked_later)) for port, *addresses in bound]


def _accepts(port: int, addresses: t.Sequence[str]) -> dict[str, t.Any]:
    path: dict[str, t.Any] = {}
    for address in addresses:
        path = _path.probe(address, port, attempts=PROBE_ATTEMPTS)
        if path["verdict"] != "unreachable":
            break
    return path


def _asked_later(address: str) -> int:
    """The host's own addresses come first, then IPv4's loopback."""
    return ["127.0.0.1", "::1"].index(address) + 1 if address in ("127.0.0.1", "::1") else 0


def refusals(paths: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Why the probed servers of this host do not accept; empty when all do."""
    return [
        f"{path['verdict']}: port {path['port']} does not accept SYN data"
        for path in paths
        if path["verdict"] != "fast_open"
    ]


def tunnels(services: t.Sequence[t.Mapping[str, t.Any]], url: str) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Requests through each client, and what went wrong.

    A running ss-local is asked itself. Nobody can ask for a URL through a running ss-redir or ss-tunnel, so a temporary
    client with --fast-open takes the same path; where only their config without its secrets is known, they are not asked.
    """
    found: list[dict[str, t.Any]] = []
    reasons = []
    for service in {_service.unit(service): service for service in services}.values():
        if not url or service["mode"] == "udp_only":
            continue
        if service["program"] == "ss-local":
            proxy = (_asked_at(service.get("local_address") or ""), service["local_port"])
            fetches = _asked(lambda proxy=proxy: _tunnel.fetch(proxy, url, FETCH_SECONDS), FETCHES)
        elif any(service.get(key) for key in _secrets.KEYS):
            fetches = _beside(service, url)
        else:
            continue
        found.append(_told(service["name"], fetches, FETCHES))
        reasons += _errors(service["name"], url, fetches, FETCHES)
    return found, reasons


def _asked(fetch: t.Callable[[], _tunnel.Fetch], answers: int) -> list[_tunnel.Fetch]:
    """Requests until so many were answered, or FAILURES were not."""
    made: list[_tunnel.Fetch] = []
    while sum(one.ok for one in made) < answers and sum(not one.ok for one in made) < FAILURES:
        made.append(fetch())
    return made


def _beside(service: t.Mapping[str, t.Any], url: str) -> list[_tunnel.Fetch]:
    client = TemporaryClient(service, url, fast_open=True)
    try:
        return _asked(lambda: client.fetch(url, FETCH_SECONDS), FETCHES)
    except ClientError as error:
        return [_tunnel.Fetch(False, None, error=str(error))]
    finally:
        client.close()


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

    Requests as ``tunnels`` returns them, and the reasons against. A service that is stopped is nobody's fault: it was
    so before.
    """
    found: list[dict[str, t.Any]] = []
    reasons = []
    for unit, state in sorted(_systemd.show(sorted(units)).items()):
        entry = units[unit]
        if state.active_state == "inactive":
            continue
        process = _process.read(state.pid) if state.active else None
        if process is None:
            reasons.append(f"{unit} is {state.active_state} ({state.sub_state})")
        elif entry["mode"] == "flag" and _exec_start.FLAG in process.argv:
            reasons.append(f"{unit} still runs with {_exec_start.FLAG}")
        elif entry["url"]:
            proxy, url = (_asked_at(entry["address"]), entry["port"]), entry["url"]
            fetches = _asked(lambda proxy=proxy, url=url: _tunnel.fetch(proxy, url, FETCH_SECONDS), 1)
            found.append(_told(unit, fetches, 1))
            reasons += _errors(unit, url, fetches, 1)
        elif entry["port"] is not None and not _answers(entry):
            reasons.append(f"{unit} takes no connection on port {entry['port']}")
    return found, reasons


def _answers(entry: _record.Unit) -> bool:
    """By the address that is kept of it, or by any that a socket of its port is bound to."""
    tried = {_asked_at(entry["address"])}
    if _attempt.plain(*tried, entry["port"], timeout=FETCH_SECONDS).connected:
        return True
    others = {_asked_at(one.address) for one in _listeners.holders({entry["port"]}) if one.protocol == "tcp"} - tried
    return any(_attempt.plain(one, entry["port"], timeout=FETCH_SECONDS).connected for one in sorted(others))


_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "::0": "::1"}


def _asked_at(address: str) -> str:
    """Where a socket that is bound to this address is reached on its own host."""
    return _LOOPBACK.get(address, address)


def _told(name: str, fetches: t.Sequence[_tunnel.Fetch], answers: int) -> dict[str, t.Any]:
    ok = sum(fetch.ok for fetch in fetches) >= answers
    return {"name": name, "ttfb_ms": [fetch.ttfb_ms for fetch in fetches], "ok": ok}


def _errors(name: str, url: str, fetches: t.Sequence[_tunnel.Fetch], answers: int) -> list[str]:
    errors = sorted({fetch.error for fetch in fetches if not fetch.ok})
    silent = sum(fetch.ok for fetch in fetches) < answers
    return [f"{url} does not answer through {name}: {'; '.join(errors)}"] if silent else []
