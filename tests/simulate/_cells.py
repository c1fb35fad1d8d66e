# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cells of the table: many waves, batches of servers or clients through the judge, and what came out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Mapping, Sequence

from _rivals import mann_whitney, thresholds
from _situation import Model, Situation
from _wave import POLICY, Measured, judge_batch, judge_one, judge_wave, read


@dataclass
class Outcomes:
    """What came of many units (waves or clients): how often each thing happened, and the mean cost of a client."""

    units: int
    counts: Counter = field(default_factory=Counter)
    requests: int = 0
    clients: int = 0
    rival_units: int = 0

    def percent(self, what: str) -> float:
        return 100 * self.counts[what] / self.units

    def rival_percent(self, rival: str) -> float:
        return 100 * self.counts[rival] / self.rival_units if self.rival_units else float("nan")

    def mean_requests(self) -> float:
        return self.requests / self.clients

    def cost(self, measured: Sequence[Measured]) -> None:
        self.requests += sum(one.requests() for one in measured)
        self.clients += len(measured)


def clients(model: Model, situation: Situation, size: int, units: int, rival_units: int, seed: str) -> Outcomes:
    """Single clients of a wave of ``size``, each by itself."""
    random, outcomes = Random(seed), Outcomes(units)
    for unit in range(units):
        client = Measured([model.draw(situation, random)])
        outcomes.counts[judge_one(client, size, random)] += 1
        outcomes.cost([client])
        if unit < rival_units:
            _rivals([client], outcomes, random)
    return outcomes


def waves(
    model: Model, situations: Sequence[Situation], units: int, rival_units: int, seed: str, paths: int = 1
) -> Outcomes:
    """Whole waves, a client for each situation.

    Counted besides the verdicts: ``any`` client reverted, ``named``: exactly those with extra loss are reverted, and
    ``well``: promoted, and every client of it.
    """
    random, outcomes = Random(seed), Outcomes(units)
    bad = [f"c{number}" for number, one in enumerate(situations) if one != situations[-1]]
    for unit in range(units):
        wave = {
            f"c{number}": Measured([model.draw(one, random) for _path in range(paths)])
            for number, one in enumerate(situations)
        }
        result = judge_wave(wave, random)
        outcomes.counts.update(_happened(result, bad))
        outcomes.cost(list(wave.values()))
        if unit < rival_units:
            _rivals(list(wave.values()), outcomes, random)
    return outcomes


def _happened(result: Mapping[str, Any], bad: list[str]) -> list[str]:
    verdict, reverted = result["verdict"], result["revert"]
    happened = [verdict]
    if reverted or verdict == "roll_back":
        happened.append("any")
    if reverted == bad:
        happened.append("named")
    if verdict == "promote" and all(one["verdict"] == "promote" for one in result["hosts"].values()):
        happened.append("well")
    return happened


def batches(
    model: Model,
    witnesses: Sequence[Sequence[Situation]],
    controls: Sequence[Situation],
    units: int,
    seed: str,
    servers: Mapping[str, Any],
) -> Outcomes:
    """Batches of servers: a witness for each of ``witnesses``, with a way for each of its situations."""
    random, outcomes = Random(seed), Outcomes(units)
    for _unit in range(units):
        seen = {f"w{n}": Measured([model.draw(way, random) for way in ways]) for n, ways in enumerate(witnesses)}
        control = {f"o{number}": Measured([model.draw(one, random)]) for number, one in enumerate(controls)}
        outcomes.counts[judge_batch(seen, control, random, servers)["verdict"]] += 1
        outcomes.cost(list(seen.values()))
    outcomes.counts["any"] = outcomes.counts["roll_back"]
    return outcomes


def one_slow(ways: int, slower_ms: float, situation: Situation) -> list[Situation]:
    """So many ways, to the first of which everything has become slower since the step."""
    return [replace(situation, drift_ms=slower_ms)] + [situation] * (ways - 1)


def _rivals(members: Sequence[Measured], outcomes: Outcomes, random: Random) -> None:
    """The same samples for the rivals, filled up to the whole budget; they pass a wave that passes entirely."""
    for one in members:
        one.measure(max(POLICY.requests - one.requests(), 0), True, random)
    read_members = [read(one, True) for one in members]
    outcomes.rival_units += 1
    outcomes.counts["mann_whitney"] += all(mann_whitney(one) for one in read_members)
    outcomes.counts["thresholds"] += all(thresholds(one) for one in read_members)
