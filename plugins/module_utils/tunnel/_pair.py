# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests with and without TCP Fast Open in turn, so that whatever drifts on the path hits both kinds alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._temporary import TemporaryClient

ARMS = {"plain": False, "fast_open": True}
COUNTERS = (
    "TCPFastOpenActive",
    "TCPFastOpenActiveFail",
    "TCPFastOpenBlackhole",
    "TCPSynRetrans",
    "TCPTimeouts",
    "RetransSegs",
    "AttemptFails",
    "EstabResets",
)
"""What tells good paths from bad ones at a client (net/ipv4/proc.c); each of them only ever rises."""


@dataclasses.dataclass
class Answers:
    """One kind of requests: ``ttfb_ms`` of the answered ones, the counters' increase, and how often the client died."""

    ok: int = 0
    failed: int = 0
    ttfb_ms: list[float] = dataclasses.field(default_factory=list)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)
    exits: int = 0
    errors: list[str] = dataclasses.field(default_factory=list)


def measure(
    services: t.Sequence[t.Mapping[str, t.Any]],
    url: str,
    requests: int,
    arms: t.Sequence[str],
    timeout: float,
    pause: float,
) -> tuple[dict[str, Answers], bool]:
    """``requests`` of each arm, the services taken in turn; and whether the cookie was fetched first.

    The pause, in seconds, after each request lets late retransmissions count where they belong.
    """
    found = {arm: Answers() for arm in arms}
    clients = {arm: [TemporaryClient(service, url, ARMS[arm]) for service in services] for arm in arms}
    try:
        warmed = "fast_open" in arms and _warm(clients["fast_open"], url, timeout)
        for number in range(requests):
            for arm in arms:
                _request(found[arm], clients[arm][number % len(services)], url, timeout, pause)
    finally:
        for client in (client for group in clients.values() for client in group):
            client.close()
    for arm, group in clients.items():
        found[arm].exits = sum(client.exits for client in group)
    return found, warmed


def _warm(clients: t.Sequence[TemporaryClient], url: str, timeout: float) -> bool:
    """The first connection of a client may only fetch the cookie, and no rollout is judged by that one."""
    fetched = [client.fetch(url, timeout) for client in clients]
    return all(one.ok for one in fetched)


def _request(arm: Answers, client: TemporaryClient, url: str, timeout: float, pause: float) -> None:
    before = _counters.read()
    result = client.fetch(url, timeout)
    time.sleep(pause)
    risen = _counters.delta(before, _counters.read())
    for name in COUNTERS:
        arm.counters[name] = arm.counters.get(name, 0) + risen.get(name, 0)
    if result.ok and result.ttfb_ms is not None:
        arm.ok += 1
        arm.ttfb_ms.append(result.ttfb_ms)
        return
    arm.failed += 1
    if result.error not in arm.errors:
        arm.errors.append(result.error)


def saved_ms(arms: t.Mapping[str, Answers]) -> t.Optional[float]:
    """By how much the median first byte comes earlier with TCP Fast Open, in ms; None where an arm has no answer."""
    if any(name not in arms or not arms[name].ttfb_ms for name in ARMS):
        return None
    return round(statistics.median(arms["plain"].ttfb_ms) - statistics.median(arms["fast_open"].ttfb_ms), 3)
