# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs: three batches of servers, a canary, three waves, with the decisions of the role rollout's own wave object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _verdict
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _phases, _waves
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Host, Tally, Wave
from _situation import Model, Situation
from _wave import POLICY, Measured, judge_batch, judge_wave

BATCHES = 3
WAVES = ["10%", "50%", "100%"]


@dataclass(frozen=True)
class Fleet:
    """So many clients in one situation; the last of them in the ``bad`` one, from the start or since its step."""

    clients: int
    situation: Situation
    bad: Situation | None = None
    turns_bad: bool = False
    vanish: float = 0.0
    """Share of each wave that gets lost in its step."""


@dataclass
class Run:
    """How a run ended: the outcome of each client, and the name of the wave that stopped it."""

    outcomes: dict[str, str] = field(default_factory=dict)
    stopped: str = ""

    def well(self) -> bool:
        """Exit status 0: everybody is promoted, or skipped for a reason."""
        return not self.stopped and set(self.outcomes.values()) <= {"promoted", "skipped"}


def simulate(fleet: Fleet, model: Model, random: Random) -> Run:
    """One run over a fleet. The first client is the canary, the bad one is in the last wave."""
    run, tally = Run(), Tally()
    for number in range(1, BATCHES + 1):
        witnesses = {f"w{n}": Measured([model.draw(fleet.situation, random)]) for n in range(2)}
        controls = {f"k{n}": Measured([model.draw(fleet.situation, random)]) for n in range(2)}
        if judge_batch(witnesses, controls, random, {})["verdict"] != "promote":
            run.stopped = f"batch {number}"
            return run
    names = [f"c{number}" for number in range(fleet.clients)]
    for step, hosts in [("canary", names[:1]), *(("wave", wave) for wave in _waves.cut(names[1:], WAVES))]:
        wave = _one(step, hosts, fleet, names[-1], tally, model, random)
        run.outcomes.update({name: host.outcome for name, host in wave.hosts.items()})
        tally = wave.total
        if wave.stop:
            run.stopped = wave.name
            break
    return run


def _one(step: str, names: Sequence[str], fleet: Fleet, last: str, tally: Tally, model: Model, random: Random) -> Wave:
    wave = Wave("client", step, step, {name: Host() for name in names}, tally=tally, canary=step == "canary")
    situations = {name: fleet.bad if fleet.bad and name == last else fleet.situation for name in names}
    clients = {name: Measured([model.draw(situation, random)]) for name, situation in situations.items()}
    asked = {
        name: Measured([model.draw(fleet.situation, random)]) if fleet.turns_bad else one
        for name, one in clients.items()
    }
    for one in asked.values():
        one.measure(_verdict.first_requests(1, POLICY), False, random)
    before = {name: client(one.before, name) for name, one in asked.items()}
    found = _verdict.judge("send", list(names), before, {}, {}, POLICY, last=True)["hosts"]
    findings = {name: {**one, "measured": before[name].plain.ok > 0} for name, one in found.items()}
    _phases.measured_before(wave, findings, [])
    lost = {name for name in names if random.random() < fleet.vanish}
    stepped = {name: {"unreachable": True} if name in lost else {"outcome": "stepped", "reasons": []} for name in names}
    _phases.stepped(wave, stepped, check=False, final=False)
    on = wave.with_outcome("stepped")
    if not wave.verdict:
        total = wave.total
        result = judge_wave({name: clients[name] for name in on}, random, (total.judged - len(on), total.bad))
        shared = (result["pooled"]["verdict"], result["pooled"]["reasons"])
        _phases.measured_after(wave, {**result, "shared": shared}, {}, {})
    confirmed = {name: {"outcome": "confirmed"} for name in wave.confirm}
    _phases.closed(wave, confirmed, {name: {"outcome": "plain"} for name in wave.revert})
    return wave


HARMLESS = (
    *((f"loss {loss:.1%}", Situation(loss=loss), 99.0 if loss <= 0.02 else 95.0) for loss in (0.0, 0.005, 0.02, 0.05)),
    *((f"loss 2.0% in bursts of {burst}", Situation(loss=0.02, burst=burst), 99.0) for burst in (4, 8)),
    ("origin 0.8 s", Situation(loss=0.005, origin_ms=800.0), 95.0),
    ("drift 60 ms", Situation(loss=0.005, drift_ms=60.0), 99.0),
)


def table(model: Model, runs: int, seed: str, errors: float) -> int:
    """Print the runs; returns how many goals were missed by more than so many standard errors."""
    missed = 0

    def row(label: str, count: int, fleet: Fleet, goal: float, what: str) -> None:
        nonlocal missed
        random, found = Random(f"{seed} {label}"), Counter()
        for _run in range(count):
            run = simulate(fleet, model, random)
            bad = run.outcomes.pop(f"c{fleet.clients - 1}", "") if fleet.bad else ""
            found["well"] += run.well()
            found["reverted"] += any(one in ("reverted", "failed", "inconclusive") for one in run.outcomes.values())
            found["stopped"] += bool(run.stopped)
            found["bad promoted"] += bad == "promoted"
        share = 100 * found[what] / count
        margin = errors * 100 * (goal / 100 * (1 - goal / 100) / count) ** 0.5
        met = share <= goal + margin if what == "bad promoted" else share >= goal - margin
        missed += not met
        cells = "".join(f"{100 * found[key] / count:>12.2f}" for key in ("well", "reverted", "stopped", "bad promoted"))
        sign = "≤" if what == "bad promoted" else "≥"
        print(f"{label:<44}{count:>6}{cells}  {what} {sign} {goal:g} {'met' if met else 'MISSED'}", flush=True)

    print(
        "\nRuns of seven steps (three batches, a canary, three waves); shares of runs in percent, of all but the bad client"
    )
    print(f"{'':<44}{'runs':>6}{'well':>12}{'reverted':>12}{'stopped':>12}{'bad prom.':>12}")
    for label, situation, goal in HARMLESS:
        for clients in (6, 30):
            row(f"harmless, {label}, {clients} clients", runs * 6 // clients, Fleet(clients, situation), goal, "well")
    for fails in (0.001, 0.01):
        for clients in (30, 500):
            fleet = Fleet(clients, Situation(fails=fails))
            row(f"{fails:.1%} of fetches fail, {clients} clients", max(5, runs * 2 // clients), fleet, 99.0, "well")
    for clients in (3, 5, 10, 30):
        for turns in (False, True):
            fleet = Fleet(clients, Situation(loss=0.005), Situation(loss=0.005, extra=1.0), turns)
            label = f"one of {clients} loses all, {'since its step' if turns else 'from the start'}"
            row(label, runs * 3 // clients, fleet, 0.1, "bad promoted")
            row(f"{label}: the others", runs * 3 // clients, fleet, 99.0, "well")
    lost = Fleet(30, Situation(loss=0.005), vanish=0.5)
    row("half of each wave of 30 clients gets lost", max(5, runs // 10), lost, 99.0, "stopped")
    return missed
