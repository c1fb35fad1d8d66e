# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured: requests of one kind, paths, clients and servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, NamedTuple

# A request counts as late from half the initial retransmission timeout of 1 s on (RFC 6298 section 2): a lost SYN
# costs 1 s, a second one 3 s in all, and jitter on either side of the middle does not change the class.
LATE_MS = 500.0
# The connections tell what happened to an arm from this share of its requests on.
SEEN_SHARE = 0.5


class Connection(NamedTuple):
    """A request's own TCP connection to the server.

    ``syn_data``: its SYN data was taken; ``lost``: how often its SYN or request was sent again; ``rtt_ms``: its
    smoothed round trip, 0 where none was taken.
    """

    syn_data: bool
    lost: int
    rtt_ms: float


@dataclass
class Arm:
    """Requests of one kind: answered and failed ones, first-byte times of the answered ones in ms, counter deltas, and
    those of their connections that were seen."""

    ok: int = 0
    failed: int = 0
    ttfb_ms: list[float] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    exits: int = 0
    connections: list[Connection] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.ok + self.failed

    @property
    def seen(self) -> bool:
        """Whether the connections of most requests were seen."""
        return 0 < SEEN_SHARE * self.requests <= len(self.connections)

    def add(self, other: Arm) -> None:
        self.ok += other.ok
        self.failed += other.failed
        self.ttfb_ms = self.ttfb_ms + other.ttfb_ms
        self.exits += other.exits
        self.connections = self.connections + other.connections
        add_counters(self.counters, other.counters)

    def lost(self, syn_data: bool) -> int:
        """Of the connections that were seen, how many lost their SYN.

        With SYN data a single packet opens a connection, and it is lost when it was sent again and its data not taken.
        Plain it takes two, SYN and request; for the same loss in both arms lost requests do not count: of what was sent
        again, SYNs are as many as the kernel counted (TCPSynRetrans of the namespace: others can only raise it).
        """
        again = [one.lost for one in self.connections if one.lost and not one.syn_data]
        if syn_data or not again:
            return len(again)
        return round(len(again) * min(1.0, self.counters.get("TCPSynRetrans", sum(again)) / sum(again)))

    def legs(self) -> list[float]:
        """Time in ms from the start of each connection until the server had the request and its answer could be back:
        two round trips, or one with SYN data. The origin has no part in it."""
        return [one.rtt_ms * (1 if one.syn_data else 2) for one in self.connections if one.rtt_ms > 0]

    def baseline(self) -> float:
        """Lower quartile of the times, in ms (nearest rank): what a request takes when nothing is lost.

        Right as long as fewer than three in four are late; the median would be late itself at one in two.
        """
        return sorted(self.ttfb_ms)[(len(self.ttfb_ms) - 1) // 4]

    def late(self, baseline: float) -> int:
        """How many answered requests came LATE_MS or more after the baseline."""
        return sum(1 for time in self.ttfb_ms if time >= baseline + LATE_MS)


@dataclass
class Path:
    """Both arms of one way of a client: the instance that asked, and the server it asked."""

    name: str = ""
    server: str = ""
    plain: Arm = field(default_factory=Arm)
    fast_open: Arm = field(default_factory=Arm)

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.server

    @property
    def label(self) -> str:
        return " to ".join(part for part in self.key if part)


@dataclass
class Client:
    """A client's paths, restarts of its service since the step, the label of its access network."""

    paths: list[Path] = field(default_factory=list)
    restarts: int = 0
    network: str = ""
    trouble: str = ""

    @property
    def plain(self) -> Arm:
        return _total(path.plain for path in self.paths)

    @property
    def fast_open(self) -> Arm:
        return _total(path.fast_open for path in self.paths)

    def path(self, key: tuple[str, str]) -> Path:
        """The path of this name and server; empty where there is none."""
        return next((path for path in self.paths if path.key == key), Path(*key))

    def add(self, path: Path) -> None:
        if all(path.key != known.key for known in self.paths):
            self.paths.append(Path(*path.key))
        known = self.path(path.key)
        known.plain.add(path.plain)
        known.fast_open.add(path.fast_open)


@dataclass
class Server:
    """Counter deltas of a server and restarts of its service since the step."""

    counters: dict[str, int] = field(default_factory=dict)
    restarts: int = 0


def _total(arms: Iterable[Arm]) -> Arm:
    total = Arm()
    for arm in arms:
        total.add(arm)
    return total


def add_counters(total: dict[str, int], more: dict[str, int]) -> None:
    for name, number in more.items():
        total[name] = total.get(name, 0) + number
