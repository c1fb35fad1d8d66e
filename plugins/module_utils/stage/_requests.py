# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through services of this host, as a proof that they work."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._temporary import (
    ClientError,
    Missing,
    TemporaryClient,
)

FETCHES = 2
"""Answers through a client after its change: two, so that both a first and a second connection were seen."""
FAILURES = 3
"""A service that fails so many requests before it has answered those is silent; a single failure may be the network's."""
FETCH_SECONDS = 10.0

Service = t.Mapping[str, t.Any]
Told = tuple[dict[str, t.Any], list[str]]
"""Of one service, {name, ttfb_ms, ok}, and the reasons against it."""


def tunnels(services: t.Sequence[Service], url: str) -> tuple[list[dict[str, t.Any]], list[str]]:
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
            told, errors = through(service["name"], service.get("local_address") or "", service["local_port"], url)
        elif any(service.get(key) for key in _secrets.KEYS):
            try:
                told, errors = _beside(service, url, fast_open=True)
            except Missing as error:
                told, errors = _told(service["name"], url, [_tunnel.Fetch(False, None, error=str(error))], FETCHES)
        else:
            continue
        found.append(told)
        reasons += errors
    return found, reasons


def _asked(fetch: t.Callable[[], _tunnel.Fetch], answers: int) -> list[_tunnel.Fetch]:
    """Requests until so many were answered, or FAILURES were not."""
    made: list[_tunnel.Fetch] = []
    while sum(one.ok for one in made) < answers and sum(not one.ok for one in made) < FAILURES:
        made.append(fetch())
    return made


def answering(services: t.Sequence[Service], url: str) -> list[Service]:
    """Of the servers of this host that would run on while they fail, those that answer now: they are asked again."""
    silent = [one for one in services if url and _implementations.of(one).fails_silently]
    return [one for one in silent if [told["ok"] for told in served([one], url)[0]] == [True]]


def served(services: t.Sequence[Service], url: str) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Requests through servers of this host, by a plain client of our own beside each.

    A host that has only the server's program is not asked: its clients are, by the wave.
    """
    found: list[dict[str, t.Any]] = []
    reasons = []
    for service in services:
        try:
            told, errors = _beside(_own_client(service), url, fast_open=False)
        except Missing:
            continue
        found.append(told)
        reasons += errors
    return found, reasons


def _own_client(server: Service) -> dict[str, t.Any]:
    """A client of a server on its own host, by the first of its addresses that takes a connection; of several users the
    first. What its config says of the server's own doings is none of a client's."""
    users = server.get("users") or []
    password = ":".join([server["password"], *(user["password"] for user in users[:1])])
    kept = {key: value for key, value in server.items() if key not in ("acl", "users", "workers", "nameserver")}
    addresses = own_addresses(server["server"])
    answering = (
        one for one in addresses if _attempt.plain(one, server["server_port"], timeout=FETCH_SECONDS).connected
    )
    address = next(answering, addresses[0])
    return {**kept, "program": "ss-local", "server": [address], "password": password}


def own_addresses(bound: t.Iterable[str]) -> list[str]:
    """Where sockets that are bound to these are reached on their own host: its own addresses, then IPv4's loopback."""
    loopback = ("127.0.0.1", "::1")
    return sorted(set(map(asked_at, bound)), key=lambda one: (loopback.index(one) + 1 if one in loopback else 0, one))


def _beside(service: Service, url: str, fast_open: bool) -> Told:
    """Raises Missing."""
    client = TemporaryClient(service, url, fast_open=fast_open)
    try:
        fetches = _asked(lambda: client.fetch(url, FETCH_SECONDS), FETCHES)
    except Missing:
        raise
    except ClientError as error:
        fetches = [_tunnel.Fetch(False, None, error=str(error))]
    finally:
        client.close()
    return _told(service["name"], url, fetches, FETCHES)


def through(name: str, address: str, port: int, url: str, answers: int = FETCHES) -> Told:
    """Requests through a running ss-local, by the address that it is bound to."""
    proxy = (asked_at(address), port)
    return _told(name, url, _asked(lambda: _tunnel.fetch(proxy, url, FETCH_SECONDS), answers), answers)


_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "::0": "::1"}


def asked_at(address: str) -> str:
    """Where a socket that is bound to this address is reached on its own host."""
    return _LOOPBACK.get(address, address)


def _told(name: str, url: str, fetches: t.Sequence[_tunnel.Fetch], answers: int) -> Told:
    ok = sum(fetch.ok for fetch in fetches) >= answers
    errors = sorted({fetch.error for fetch in fetches if not fetch.ok})
    told = {"name": name, "ttfb_ms": [fetch.ttfb_ms for fetch in fetches], "ok": ok}
    return told, [] if ok else [f"{url} does not answer through {name}: {'; '.join(errors)}"]
