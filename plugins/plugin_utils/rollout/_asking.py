# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a wave asks for measurements, and which of its hosts does the asking: side by side, each client once."""

from __future__ import annotations

import typing as t

Asks = dict[str, list[dict[str, t.Any]]]
"""By host of the wave what it asks whom: {host, servers, arms, requests, running}, ``servers`` [] for all of the client's."""

CONTROLS = 2
"""Clients of servers outside of a batch that are asked as its control."""
TO = " to "
"""Between client and servers in the name of a control."""
PLAIN_REQUESTS = 20
"""Of each of them, and of each witness, at most."""


def of_clients(requests: t.Mapping[str, int], running: bool) -> Asks:
    """Each client asks itself, so many requests of each kind."""
    return {
        host: [{"host": host, "servers": [], "arms": ["plain", "fast_open"], "requests": number, "running": running}]
        for host, number in requests.items()
        if number > 0
    }


def of_servers(batch: t.Sequence[str], witnesses: t.Mapping[str, t.Sequence[str]], most: int) -> Asks:
    """The witnesses of a batch and its control, so many plain requests at ``most``, shared out among the servers of the batch.

    ``witnesses`` gives the clients of each server, in the batch and outside of it. A client that uses servers of both
    kinds is asked twice, for a path to each kind.
    """
    asked: dict[tuple[str, bool], list[str]] = {}
    for server, clients in witnesses.items():
        for client in clients:
            key = (client, server in batch)
            if key[1] or key in asked or sum(not inside for _client, inside in asked) < CONTROLS:
                asked.setdefault(key, []).append(server)
    if not any(inside for _client, inside in asked):
        return {}  # nobody to compare a control with
    requests = min(PLAIN_REQUESTS, most)
    shared: Asks = {}
    for number, ((client, _inside), servers) in enumerate(asked.items()):
        entry = {"host": client, "servers": servers, "arms": ["plain"], "requests": requests, "running": False}
        shared.setdefault(batch[number % len(batch)], []).append(entry)
    return shared


def watchers(wave: t.Sequence[str], servers: t.Mapping[str, t.Sequence[str]]) -> dict[str, list[str]]:
    """By host of the wave the servers that it looks at, each server once, the work shared out."""
    shared: dict[str, list[str]] = {}
    wanted = {
        server: [host for host in wave if server in servers.get(host, ())]
        for host in wave
        for server in servers.get(host, ())
    }
    for server in sorted(wanted):
        host = min(wanted[server], key=lambda name: len(shared.get(name, ())))
        shared.setdefault(host, []).append(server)
    return shared


def provers(by_server: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """One {host, targets, servers} for each host that sends SYNs with data to servers, from {host, targets} by server;
    ``servers`` keeps whose targets they are."""
    shared: dict[str, dict[str, t.Any]] = {}
    for server, one in by_server.items():
        entry = shared.setdefault(one["host"], {"host": one["host"], "targets": [], "servers": {}})
        entry["targets"] += [target for target in one["targets"] if target not in entry["targets"]]
        entry["servers"][server] = one["targets"]
    return list(shared.values())


def proven(results: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, list[dict[str, t.Any]]]:
    """By server the paths that those have probed, each with the host that did, ``by``."""
    found: dict[str, list[dict[str, t.Any]]] = {}
    for result in results:
        prover = result["__rollout_prover"]
        for server, targets in prover["servers"].items():
            paths = [
                path for path in result.get("paths", []) if {key: path[key] for key in ("host", "port")} in targets
            ]
            found.setdefault(server, []).extend({"by": prover["host"], **path} for path in paths)
    return found


def key(ask: t.Mapping[str, t.Any], batch: t.Collection[str]) -> str:
    """The name by which the judge knows what was asked: a client's, or, for the control of a batch, the client's path."""
    outside = [server for server in ask["servers"] if server not in batch]
    return f"{ask['host']}{TO}{', '.join(outside)}" if outside else ask["host"]
