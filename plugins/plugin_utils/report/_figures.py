# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured in a wave, as figures: two arms a path, told apart as the judge does."""

from __future__ import annotations

import dataclasses
import typing as t
from statistics import median

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _client, _measurement
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Arm, Client, Path
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._values import mapping

PLAIN, FAST_OPEN = "plain", "fast open"
BEFORE, AFTER = "before the step", "after the step"
CONTROL = " to "
"""What is in the name of a witness of servers outside of the batch."""


@dataclasses.dataclass(frozen=True)
class Times:
    """Requests of one arm: first-byte times of the answered ones in ms, how many failed, came late, or lost their SYN."""

    name: str
    ttfb_ms: tuple[float, ...]
    failed: int
    late: int
    lost: t.Optional[int] = None

    @property
    def requests(self) -> int:
        """Answered or not."""
        return len(self.ttfb_ms) + self.failed

    def quantile(self, share: float) -> t.Optional[float]:
        """In ms, by nearest rank; None where nothing was answered."""
        rising = sorted(self.ttfb_ms)
        return rising[round(share * (len(rising) - 1))] if rising else None

    @property
    def median(self) -> t.Optional[float]:
        """In ms."""
        return median(self.ttfb_ms) if self.ttfb_ms else None


@dataclasses.dataclass(frozen=True)
class Pair:
    """One path of a client in both arms: plain and fast open, or plain before and after a step of servers.

    ``when``: before the step or after it. ``rtt_ms``: the median round trip of its plain connections.
    """

    client: str
    server: str
    network: str
    when: str
    first: Times
    second: Times
    rtt_ms: t.Optional[float]
    control: bool = False

    @property
    def gain_ms(self) -> t.Optional[float]:
        """By how much the median of the second arm comes earlier."""
        first, second = self.first.median, self.second.median
        return None if first is None or second is None else first - second

    @property
    def label(self) -> str:
        """The way, for people."""
        return f"{self.client} to {self.server}" if self.server else self.client


@dataclasses.dataclass(frozen=True)
class Measured:
    """``trouble``: by client why its measurement tells nothing."""

    pairs: list[Pair]
    trouble: dict[str, str]

    @property
    def arms(self) -> list[Times]:
        """All paths together, arm by arm; those before the step only where nobody was measured after it."""
        chosen = self.judged
        return [added([getattr(pair, arm) for pair in chosen]) for arm in ("first", "second")] if chosen else []

    @property
    def judged(self) -> list[Pair]:
        """The paths behind the verdict."""
        return [pair for pair in self.pairs if pair.when == AFTER and not pair.control] or self.pairs


def added(arms: t.Sequence[Times]) -> Times:
    """Several arms of one kind as one."""
    lost = [arm.lost for arm in arms]
    return Times(
        arms[0].name,
        tuple(time for arm in arms for time in arm.ttfb_ms),
        sum(arm.failed for arm in arms),
        sum(arm.late for arm in arms),
        None if None in lost else sum(one or 0 for one in lost),
    )


def of_clients(measured: t.Mapping[str, t.Any]) -> Measured:
    """A wave of clients, fast open beside plain at the same time: after the step, before it for those that made none."""
    before, trouble = _clients(measured.get("before"))
    after, later = _clients(measured.get("after"))
    pairs = []
    for name, one in {**before, **after}.items():
        when = AFTER if name in after else BEFORE
        pairs += [_beside(name, one, path, when) for path in one.paths]
    return Measured(pairs, {**trouble, **later})


def of_servers(measured: t.Mapping[str, t.Any]) -> Measured:
    """A batch of servers: plain requests of its witnesses, and of clients of other servers, before the step and after."""
    before, trouble = _clients(measured.get("before"))
    after, later = _clients(measured.get("after"))
    pairs = []
    for name, one in before.items():
        now = after.get(name, Client())
        pairs += [_then_and_now(name, one, path, now.path(path.key)) for path in one.paths]
    return Measured(pairs, {**trouble, **later})


def _clients(results: t.Any) -> tuple[dict[str, Client], dict[str, str]]:
    found: dict[str, Client] = {}
    trouble: dict[str, str] = {}
    for name, rounds in mapping(results).items():
        try:
            one = _measurement.client(rounds, name)
        except _measurement.MeasurementError as error:
            trouble[name] = str(error)
            continue
        if one.trouble:
            trouble[name] = one.trouble
        if one.paths:
            found[name] = one
    return found, trouble


def _beside(name: str, client: Client, path: Path, when: str) -> Pair:
    counts = _client.late_counts(path)
    seen = path.plain.seen and path.fast_open.seen
    arms = [
        _times(PLAIN, path.plain, path.plain, counts.reference_spoiled if seen else None),
        _times(FAST_OPEN, path.fast_open, path.plain, counts.treated_spoiled if seen else None),
    ]
    return Pair(name, path.server or path.name, client.network, when, *arms, rtt_ms=_round_trip(path.plain))


def _then_and_now(name: str, client: Client, before: Path, after: Path) -> Pair:
    arms = [_times(BEFORE, before.plain, before.plain), _times(AFTER, after.plain, before.plain)]
    who, control, _server = name.partition(CONTROL)
    rtt = _round_trip(before.plain)
    return Pair(who, before.server or before.name, client.network, AFTER, *arms, rtt_ms=rtt, control=bool(control))


def _times(name: str, arm: Arm, reference: Arm, lost: t.Optional[int] = None) -> Times:
    late = arm.late(reference.baseline()) if reference.ttfb_ms else 0
    return Times(name, tuple(arm.ttfb_ms), arm.failed, late, lost)


def _round_trip(arm: Arm) -> t.Optional[float]:
    trips = [one.rtt_ms for one in arm.connections if one.rtt_ms > 0]
    return median(trips) if trips else None
