# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests of both kinds came to, on one path and on several, and when a path need not be asked any more."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import Fetch

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

DECIDED = 5
"""Pairs. By chance alone they never all show it: at 5 % loss that is 1 in 3 million."""
LATE_MS = 500.0
"""Half of what a lost SYN costs (RFC 6298 section 2: 1 s)."""
SILENT = 4
"""Time-outs: a path on which nothing was answered for so long is not asked any more, for others wait for it, under leases."""


@dataclasses.dataclass
class Answers:
    """One kind of requests: ``ttfb_ms`` of the answered ones, the counters' increase, and how often the client died.

    ``connections`` are the client's own to its server (see ``_sock_diag.Connection``), of each request that showed one.
    """

    ok: int = 0
    failed: int = 0
    ttfb_ms: list[float] = dataclasses.field(default_factory=list)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)
    exits: int = 0
    errors: list[str] = dataclasses.field(default_factory=list)
    connections: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)

    def add(self, result: Fetch, risen: t.Mapping[str, int]) -> None:
        """Count one request, and by how much the counters rose meanwhile."""
        for name in COUNTERS:
            self.counters[name] = self.counters.get(name, 0) + risen.get(name, 0)
        if result.connection is not None:
            self.connections.append(result.connection._asdict())
        if result.ok and result.ttfb_ms is not None:
            self.ok += 1
            self.ttfb_ms.append(result.ttfb_ms)
            return
        self.failed += 1
        if result.error not in self.errors:
            self.errors.append(result.error)


@dataclasses.dataclass
class Path:
    """One instance: its name, the inventory host of its server or else its first address, and the kinds of requests."""

    name: str
    server: str
    arms: dict[str, Answers]

    def result(self) -> dict[str, t.Any]:
        """As the module returns it; a kind that was not asked for is empty."""
        arms = {name: dataclasses.asdict(self.arms.get(name, Answers())) for name in ARMS}
        return {"name": self.name, "server": self.server, **arms, "saved_ms": saved_ms(self.arms)}


def total(paths: t.Sequence[Path]) -> dict[str, Answers]:
    """Both kinds over all paths."""
    return {arm: _sum([path.arms[arm] for path in paths if arm in path.arms]) for arm in ARMS}


def _sum(parts: t.Sequence[Answers]) -> Answers:
    return Answers(
        ok=sum(part.ok for part in parts),
        failed=sum(part.failed for part in parts),
        ttfb_ms=[ms for part in parts for ms in part.ttfb_ms],
        counters=counters(parts),
        exits=sum(part.exits for part in parts),
        errors=list(dict.fromkeys(error for part in parts for error in part.errors)),
        connections=[one for part in parts for one in part.connections],
    )


def counters(parts: t.Iterable[Answers]) -> dict[str, int]:
    """The counters of several together."""
    found: dict[str, int] = {}
    for part in parts:
        for name, value in part.counters.items():
            found[name] = found.get(name, 0) + value
    return found


def saved_ms(arms: t.Mapping[str, Answers]) -> t.Optional[float]:
    """By how much the median first byte comes earlier with TCP Fast Open, in ms; None where an arm has no answer."""
    if any(name not in arms or not arms[name].ttfb_ms for name in ARMS):
        return None
    return round(statistics.median(arms["plain"].ttfb_ms) - statistics.median(arms["fast_open"].ttfb_ms), 3)


def decided(plain: t.Sequence[Fetch], fast_open: t.Sequence[Fetch]) -> bool:
    """Whether the first pairs of a path tell already that it loses TCP Fast Open: every request with it was late or
    failed, and no plain one was. Each further one would take a second or the whole time-out.
    """
    first, other = plain[:DECIDED], fast_open[:DECIDED]
    if len(first) < DECIDED or len(other) < DECIDED:
        return False
    fastest = min((one.ttfb_ms for one in first if one.ttfb_ms is not None), default=0.0)
    return all(_spoiled(one, fastest) for one in other) and not any(_spoiled(one, fastest) for one in first)


def _spoiled(one: Fetch, fastest: float) -> bool:
    """Failed or late: by what its connection had to send again, where that was not seen by its first byte."""
    if not one.ok or one.ttfb_ms is None:
        return True
    return one.connection.lost > 0 if one.connection is not None else one.ttfb_ms - fastest >= LATE_MS
