# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cells of the table: many waves or clients through the judge, and what came out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import judge_client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._verdict import judge
from _model import Path, measure
from _rivals import mann_whitney, thresholds

POLICY = Policy()


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
        return 100 * self.counts[rival] / self.rival_units

    def mean_requests(self) -> float:
        return self.requests / self.clients


def clients(extra: float, loss: float, size: int, units: int, rival_units: int, seed: str) -> Outcomes:
    """Single clients of a wave of ``size``, each measured until it is decided or its budget has ended."""
    random, outcomes = Random(seed), Outcomes(units)
    for unit in range(units):
        path, client = Path.draw(random, loss, extra), Client()
        outcomes.counts[_measured(client, path, size, random)] += 1
        outcomes.requests += client.fast_open.requests
        outcomes.clients += 1
        if unit < rival_units:
            _rivals([(client, path)], outcomes, random)
    return outcomes


def waves(extras: list[float], loss: float, units: int, rival_units: int, seed: str) -> Outcomes:
    """Whole waves, judged as the action plugin does.

    Each client is measured until it is decided, then the wave is judged, and measured on where that asks for more.
    Counted besides the verdicts: ``any`` client reverted, and ``named``: exactly those with extra loss are reverted.
    """
    random, outcomes = Random(seed), Outcomes(units)
    bad = [f"c{number}" for number, extra in enumerate(extras) if extra]
    for unit in range(units):
        paths = {f"c{number}": Path.draw(random, loss, extra) for number, extra in enumerate(extras)}
        wave = {name: Client(network=name) for name in paths}
        for name, client in wave.items():
            _measured(client, paths[name], len(wave), random)
        while True:
            result = judge("send", list(wave), wave, {}, {}, POLICY)
            if not result["measure"]:
                break
            for name, more in result["measure"].items():
                measure(wave[name], paths[name], more, random)
        outcomes.counts[result["verdict"]] += 1
        outcomes.counts["any"] += bool(result["revert"]) or result["verdict"] == "roll_back"
        outcomes.counts["named"] += result["revert"] == bad
        outcomes.requests += sum(client.fast_open.requests for client in wave.values())
        outcomes.clients += len(wave)
        if unit < rival_units:
            _rivals([(wave[name], paths[name]) for name in wave], outcomes, random)
    return outcomes


def _measured(client: Client, path: Path, size: int, random: Random) -> str:
    while True:
        finding = judge_client(client, POLICY, size)
        if not finding.more:
            return finding.verdict
        measure(client, path, finding.more, random)


def _rivals(members: list[tuple[Client, Path]], outcomes: Outcomes, random: Random) -> None:
    """The same samples for the rivals, filled up to the whole budget; they pass a wave that passes entirely."""
    for client, path in members:
        measure(client, path, POLICY.requests - client.fast_open.requests, random)
    outcomes.rival_units += 1
    outcomes.counts["mann_whitney"] += all(mann_whitney(client) for client, _path in members)
    outcomes.counts["thresholds"] += all(thresholds(client) for client, _path in members)
