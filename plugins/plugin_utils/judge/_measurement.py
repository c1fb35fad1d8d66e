# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured at a client or a server, read from results of modules and added up over several rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

# A request counts as late from half the initial retransmission timeout of 1 s on (RFC 6298 section 2): a lost SYN
# costs 1 s, a second one 3 s in all, and jitter on either side of the middle does not change the class.
LATE_MS = 500.0


class MeasurementError(ValueError):
    """A measurement that cannot be read; the message names the field and what was expected."""


@dataclass
class Arm:
    """Requests of one kind: answered and failed ones, first-byte times of the answered ones in ms, counter deltas."""

    ok: int = 0
    failed: int = 0
    ttfb_ms: list[float] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    exits: int = 0

    @property
    def requests(self) -> int:
        return self.ok + self.failed

    def add(self, other: Arm) -> None:
        self.ok += other.ok
        self.failed += other.failed
        self.ttfb_ms += other.ttfb_ms
        self.exits += other.exits
        _add_counters(self.counters, other.counters)

    def baseline(self) -> float:
        """Lower quartile of the times, in ms (nearest rank): what a request takes when nothing is lost.

        Right as long as fewer than three in four are late; the median would be late itself at one in two.
        """
        return sorted(self.ttfb_ms)[(len(self.ttfb_ms) - 1) // 4]

    def late(self, baseline: float) -> int:
        """How many answered requests came LATE_MS or more after the baseline."""
        return sum(1 for time in self.ttfb_ms if time >= baseline + LATE_MS)


@dataclass
class Client:
    """Both arms of a client, restarts of its service since the step, the label of its access network."""

    plain: Arm = field(default_factory=Arm)
    fast_open: Arm = field(default_factory=Arm)
    restarts: int = 0
    network: str = ""
    trouble: str = ""


@dataclass
class Server:
    """Counter deltas of a server and restarts of its service since the step."""

    counters: dict[str, int] = field(default_factory=dict)
    restarts: int = 0


def client(value: Any, name: str) -> Client:
    """A client from one measurement, one that holds its ``rounds``, or a list of rounds; null, failed and unreachable results are no data.

    Requests and counters of the rounds are added, restarts (each counted since the step) are not: the highest stays.
    """
    total = Client()
    if isinstance(value, Mapping) and value.get("rounds"):
        total.trouble = _trouble(value)
        value = value["rounds"]
    for number, part in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        where = f"{name}, round {number + 1}"
        if part is None:
            continue
        part = _mapping(part, where)
        trouble = _trouble(part)
        if trouble:
            total.trouble = trouble
            continue
        total.plain.add(_arm(part.get("plain"), f"{where}: plain"))
        total.fast_open.add(_arm(part.get("fast_open"), f"{where}: fast_open"))
        total.restarts = max(total.restarts, _count(part.get("restarts"), f"{where}: restarts"))
        total.network = str(part.get("network") or total.network)
    return total


def _trouble(part: Mapping[str, Any]) -> str:
    """Why there is no measurement of this round, '' where there is one."""
    failed = part.get("failed") is True or part.get("unreachable") is True
    return str(part.get("msg") or "the measurement failed") if failed else ""


def server(value: Any, name: str) -> Server:
    """A server from one result or a list of rounds, added up like a client's."""
    total = Server()
    for part in value if isinstance(value, (list, tuple)) else [value]:
        if part is None:
            continue
        part = _mapping(part, name)
        _add_counters(total.counters, _counters(part.get("counters"), f"{name}: counters"))
        total.restarts = max(total.restarts, _count(part.get("restarts"), f"{name}: restarts"))
    return total


def _arm(value: Any, where: str) -> Arm:
    if value is None:
        return Arm()
    value = _mapping(value, where)
    times = value.get("ttfb_ms") or []
    if not isinstance(times, (list, tuple)) or not all(_number(time) is not None for time in times):
        raise MeasurementError(f"{where}: ttfb_ms must be a list of milliseconds, not {times!r}.")
    arm = Arm(
        _count(value.get("ok"), f"{where}: ok"),
        _count(value.get("failed"), f"{where}: failed"),
        [float(time) for time in times],
        _counters(value.get("counters"), f"{where}: counters"),
        _count(value.get("exits"), f"{where}: exits"),
    )
    if len(arm.ttfb_ms) != arm.ok:
        raise MeasurementError(
            f"{where}: {arm.ok} requests were answered, but ttfb_ms holds {len(arm.ttfb_ms)} times. "
            "Give the first-byte time of every answered request and of no other."
        )
    return arm


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MeasurementError(f"{where}: expected a dictionary, not {value!r}.")
    return value


def _counters(value: Any, where: str) -> dict[str, int]:
    return {str(name): _count(number, f"{where}: {name}") for name, number in _mapping(value or {}, where).items()}


def _count(value: Any, where: str) -> int:
    number = 0 if value is None else _number(value)
    if number is None or number < 0 or number != int(number):
        raise MeasurementError(f"{where} must be a count of 0 or more, not {value!r}.")
    return int(number)


def _number(value: Any) -> Optional[float]:
    """A finite number, or None; texts are accepted, since templates may turn numbers into them."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def _add_counters(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        total[name] = total.get(name, 0) + number
