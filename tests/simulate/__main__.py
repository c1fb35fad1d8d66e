# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decision quality of the judge as a table, from simulated clients, beside the judges of two other tools.

Exit status 1 when a cell misses its goal. The same seed prints the same table.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from math import sqrt
from pathlib import Path
from random import SystemRandom
from typing import NamedTuple, Optional

import _picture
import _runs
from _cells import Outcomes, batches, clients, one_slow, waves
from _situation import Model, Situation
from _wave import POLICY

LOSSES = (0.0, 0.005, 0.02, 0.05)
SIZES = (5, 20)
MODELS = {"own": ("_model", "OwnModel"), "second": ("_second_model", "SecondModel")}
# How many of each: clients in harmless waves and in waves that all lose more, single clients, mixed waves, batches of
# servers; units that the rivals judge as well; runs of six clients.
FULL = {"harmless": 6_000, "all": 3_000, "clients": 1_500, "mixed": 40, "batches": 300, "rivals": 20, "runs": 600}
QUICK = {"harmless": 300, "all": 200, "clients": 100, "mixed": 5, "batches": 20, "rivals": 3, "runs": 24}
# A run is a sample: it misses a goal only by more than three standard errors of its own.
ERRORS = 3
COLUMNS = "{:<34}{:>6}{:>8}{:>10}{:>9}{:>10}{:>10}{:>9}{:>9}{:>8}  {}"
STRANGERS = {"ss1": {"counters": {"TCPFastOpenPassive": 1, "TCPFastOpenPassiveFail": 90_000}}}


class Goal(NamedTuple):
    """A bound on a share of the units in percent, or on the mean number of requests."""

    what: str
    at_most: Optional[float] = None
    at_least: Optional[float] = None

    def missed(self, cell: Outcomes, errors: float) -> Optional[str]:
        """By how much it was missed, in words, or None; ``errors`` standard errors are forgiven."""
        if self.what == "requests":
            value, margin = cell.mean_requests(), 0.0
        else:
            value = cell.percent(self.what)
            goal = (self.at_most if self.at_most is not None else self.at_least or 0.0) / 100
            margin = errors * 100 * sqrt(goal * (1 - goal) / cell.units)
        if self.at_most is not None and value > self.at_most + margin:
            return f"{self.what} {value:.2f} > {self.at_most:g}"
        if self.at_least is not None and value < self.at_least - margin:
            return f"{self.what} {value:.2f} < {self.at_least:g}"
        return None


def harmless_goals(loss: float, size: int) -> list[Goal]:
    """Four waves of clients make most of a run of seven steps: 1 %, at a loss of 5 % or a noisy origin 5 %, in four.

    Of waves of 20 the pool is sure; the four share out what single clients in them get wrong.
    """
    return [Goal("any", at_most=0.25 if loss <= 0.02 else 1.9 if size < 10 else 0.6), Goal("promote", at_least=98)]


class Table:
    """Prints rows as they come and counts the missed goals."""

    def __init__(self, errors: float) -> None:
        self.errors, self.missed = errors, 0
        self.promoted: dict[tuple[str, int], float] = {}

    def head(self, title: str, units: str, reverted: str) -> None:
        print(f"\n{title}")
        names = ("", "wave", units, "promoted", reverted, "undecided", "all well", "requests", "MW pass", "fixed")
        print(COLUMNS.format(*names, "goals"))

    def row(self, what: str, size: int, cell: Outcomes, reverted: str, goals: list[Goal]) -> None:
        misses = [miss for miss in (goal.missed(cell, self.errors) for goal in goals) if miss]
        self.missed += len(misses)
        self.promoted[what, size] = cell.percent("promote")
        shares = [f"{cell.percent(what):.2f}" for what in ("promote", reverted, "inconclusive", "well")]
        rivals = [f"{cell.rival_percent(rival):.0f}" for rival in ("mann_whitney", "thresholds")]
        goal = "MISSED " + ", ".join(misses) if misses else "met" if goals else "-"
        print(COLUMNS.format(what, size, cell.units, *shares, f"{cell.mean_requests():.1f}", *rivals, goal), flush=True)


def harmless(table: Table, model: Model, runs: dict[str, int], seed: str) -> None:
    """Waves in which nothing is wrong with SYN data."""
    table.head("Harmless waves", "waves", "any rev.")
    cases = [(f"loss {100 * loss:g} %", Situation(loss=loss), SIZES) for loss in LOSSES]
    cases += [
        (f"loss {100 * loss:g} % in bursts of {burst}", Situation(loss=loss, burst=burst), SIZES)
        for loss in (0.02, 0.05)
        for burst in (4, 8)
    ]
    cases += [("origin 800 ms, loss 0.5 %", Situation(loss=0.005, origin_ms=800), SIZES)]
    cases += [(f"{100 * share:g} % fail by themselves", Situation(fails=share), (20, 500)) for share in (0.001, 0.01)]
    for name, situation, sizes in cases:
        for size in sizes:
            units = max(runs["harmless"] // size, 2)
            cell = waves(model, [situation] * size, units, min(runs["rivals"], units) // 2, f"{seed} {name} {size}")
            table.row(name, size, cell, "any", harmless_goals(situation.loss, size))
    for number in (3, 5):
        cell = waves(model, [Situation(loss=0.005)] * 5, runs["harmless"] // 25, 0, f"{seed} {number} paths", number)
        table.row(f"{number} paths each, loss 0.5 %", 5, cell, "any", [Goal("any", at_most=1)])


def harmed(table: Table, model: Model, runs: dict[str, int], seed: str) -> None:
    """Clients and waves to which SYN data does harm."""
    table.head("Single clients that lose more SYNs with data beyond the natural loss", "clients", "reverted")
    for share, goals in (
        (1.0, [Goal("promote", at_most=0.1), Goal("revert", at_least=99), Goal("requests", at_most=12)]),
        (0.2, [Goal("promote", at_most=5)]),
    ):
        for loss in LOSSES:
            name, situation = f"{share:.0%} more, loss {100 * loss:g} %", Situation(loss=loss, extra=share)
            cell = clients(model, situation, 20, runs["clients"], runs["rivals"], f"{seed} {name}")
            table.row(name, 20, cell, "revert", goals)
    table.head("Single clients that are slower with fast open (20 ms are allowed)", "clients", "reverted")
    for slower, goals in ((10.0, []), (25.0, [Goal("promote", at_most=5)]), (40.0, [Goal("promote", at_most=0.5)])):
        cell = clients(model, Situation(loss=0.005, slower_ms=slower), 20, runs["clients"], 0, f"{seed} {slower}")
        table.row(f"{slower:g} ms slower, loss 0.5 %", 20, cell, "revert", goals)
    table.head("Waves in which all clients lose more SYNs with data", "waves", "any rev.")
    for extra in (0.02, 0.05, 0.1):
        for loss in (0.005, 0.02, 0.05):
            for size in SIZES:
                most = (5 if size == 5 else 1) * (5 if loss > 0.02 else 1)
                goals = [Goal("promote", at_most=most)] if extra == 0.05 else []
                name = f"{extra:.0%} more, loss {100 * loss:g} %"
                units = runs["all"] // size
                cell = waves(model, [Situation(loss=loss, extra=extra)] * size, units, 0, f"{seed} {name} {size}")
                table.row(name, size, cell, "any", goals)
    table.head("Waves with one bad client (one may always be reverted)", "waves", "named")
    for share in (1.0, 0.2):
        for size in SIZES:
            situations = [Situation(loss=0.005, extra=share)] + [Situation(loss=0.005)] * (size - 1)
            cell = waves(model, situations, runs["mixed"], 0, f"{seed} mixed {share} {size}")
            table.row(f"one loses {share:.0%}, loss 0.5 %", size, cell, "named", [])


def servers(table: Table, model: Model, runs: dict[str, int], seed: str) -> None:
    """Batches of servers, seen by witnesses and with clients of other servers as the control."""
    table.head("Batches of servers, by plain requests of two witnesses", "batches", "rolled")
    calm, units = Situation(loss=0.005), runs["batches"]
    for drift in (0.0, 10.0, 30.0, 60.0):
        moved = Situation(loss=0.005, drift_ms=drift)
        for controls, most in ((2, 1.0), (0, 0.0)):
            cell = batches(model, [[moved]] * 2, [moved] * controls, units, f"{seed} {drift} {controls}", {})
            goals = [Goal("any", at_most=most), Goal("promote", at_least=99)]
            table.row(f"all {drift:g} ms slower, {controls} controls", 2, cell, "any", goals)
    for ways in (1, 3, 5):
        cell = batches(model, [one_slow(ways, 400, calm)] * 2, [calm] * 2, units, f"{seed} slow {ways}", {})
        table.row(f"400 ms slower, one of {ways} instances", 2, cell, "any", [Goal("promote", at_most=1)])
    cell = batches(model, [[calm]] * 2, [calm] * 2, units, f"{seed} strangers", STRANGERS)
    table.row("strangers' wrong cookies", 2, cell, "any", [Goal("any", at_most=1)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs or less, a minute or two")
    parser.add_argument("--model", choices=sorted(MODELS), default="own", help="whose model of the network")
    parser.add_argument("--seed", default="fastopen", help="another one gives other clients; random: draw one")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the most telling rows, as docs/decisions.svg"
    )
    options = parser.parse_args()
    if options.seed == "random":
        options.seed = f"{SystemRandom().getrandbits(32):08x}"
    module, name = MODELS[options.model]
    model = getattr(importlib.import_module(module), name)()
    runs, started = QUICK if options.quick else FULL, time.monotonic()
    print(
        f"Model {options.model!r}, seed {options.seed!r}; at most {POLICY.requests} requests a kind and client, "
        f"confidence {POLICY.confidence:.0%}.\nLoss: natural, of SYNs and requests of both kinds. Shares in percent, "
        "requests a kind and client.\n"
        "MW pass: Mann-Whitney at 0.98 with tolerance 0.25 (Kayenta) finds nothing. fixed: 99 % answered, p99 up to\n"
        "500 ms (Flagger). Both look once, at the whole budget of some of the same clients.\n"
        f"A goal is missed when the figure is beyond it by more than {ERRORS} standard errors."
    )
    table = Table(ERRORS)
    for part in (harmless, harmed, servers):
        part(table, model, runs, f"{options.seed} {options.model}")
    table.missed += _runs.table(model, runs["runs"], f"{options.seed} {options.model}", ERRORS)
    if options.picture:
        options.picture.write_text(_picture.draw(table.promoted), encoding="utf-8")
    print(f"\n{table.missed} goals missed, {time.monotonic() - started:.0f} s")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
