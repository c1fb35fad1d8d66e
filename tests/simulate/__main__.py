# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decision quality of the judge as a table, from simulated clients, beside the judges of two other tools.

Exit status 1 when a cell misses its goal. The seed is fixed: the same version prints the same table.
"""

from __future__ import annotations

import argparse
import sys
import time
from math import sqrt
from typing import NamedTuple, Optional

from _cells import POLICY, Outcomes, clients, waves
from _model import JITTER, LONGEST_RTT_MS, ORIGIN_MS, SHORTEST_RTT_MS

LOSSES = (0.0, 0.005, 0.02, 0.05)
SIZES = (5, 20)
# How many of each: clients in harmless waves, clients that lose all, that lose 20 %, waves with one of them; units
# that the rivals judge as well.
FULL = {"harmless": 10_000, "all": 10_000, "some": 3_000, "mixed": 60, "rivals": 40}
QUICK = {"harmless": 800, "all": 1_000, "some": 150, "mixed": 10, "rivals": 5}
# Quick runs are too few to tell a figure from its goal nearby: they miss one only by more than three standard errors.
QUICK_ERRORS = 3
COLUMNS = "{:>7}{:>6}{:>8}{:>10}{:>10}{:>11}{:>10}{:>9}{:>12}  {}"


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


def harmless_goals(loss: float) -> list[Goal]:
    return [Goal("any", at_most=1), Goal("promote", at_least=85 if loss > 0.02 else 95), Goal("requests", at_most=30)]


ALL_GOALS = [Goal("promote", at_most=0.1), Goal("revert", at_least=99), Goal("requests", at_most=6)]
SOME_GOALS = [Goal("promote", at_most=5)]


class Table:
    """Prints rows as they come and counts the missed goals."""

    def __init__(self, errors: float) -> None:
        self.errors, self.missed = errors, 0

    def head(self, title: str, units: str, reverted: str) -> None:
        print(f"\n{title}")
        names = ("loss %", "wave", units, "promoted", reverted, "undecided", "requests", "MW pass", "fixed pass")
        print(COLUMNS.format(*names, "goals"))

    def row(self, loss: float, size: int, cell: Outcomes, reverted: str, goals: list[Goal]) -> None:
        misses = [miss for miss in (goal.missed(cell, self.errors) for goal in goals) if miss]
        self.missed += len(misses)
        shares = [f"{cell.percent(what):.2f}" for what in ("promote", reverted, "inconclusive")]
        rivals = [f"{cell.rival_percent(rival):.1f}" for rival in ("mann_whitney", "thresholds")]
        goal = "MISSED " + ", ".join(misses) if misses else "met" if goals else "-"
        print(
            COLUMNS.format(f"{100 * loss:g}", size, cell.units, *shares, f"{cell.mean_requests():.1f}", *rivals, goal),
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs or less, under a minute")
    parser.add_argument("--seed", default="fastopen", help="another seed gives another set of clients")
    options = parser.parse_args()
    runs, started = QUICK if options.quick else FULL, time.monotonic()
    print(
        f"Round trip {SHORTEST_RTT_MS:g}-{LONGEST_RTT_MS:g} ms (log-uniform) with {JITTER:.0%} jitter, origin "
        f"{ORIGIN_MS:g} ms, natural SYN loss in both arms;\nat most {POLICY.requests} requests an arm and client, "
        f"confidence {POLICY.confidence:.0%}, seed {options.seed!r}. Shares in percent, requests an arm and client.\n"
        "MW pass: Mann-Whitney at 0.98 with tolerance 0.25 (Kayenta) finds nothing. fixed pass: 99 % answered, p99 up\n"
        "to 500 ms (Flagger). Both look once, at the whole budget of some of the same clients."
    )
    table = Table(QUICK_ERRORS if options.quick else 0)
    cells = [(loss, size, f"{options.seed} {loss} {size}") for loss in LOSSES for size in SIZES]

    table.head("Harmless waves", "waves", "any rev.")
    for loss, size, seed in cells:
        cell = waves([0.0] * size, loss, runs["harmless"] // size, runs["rivals"], f"{seed} harmless")
        table.row(loss, size, cell, "any", harmless_goals(loss))
    for share, name, goals in ((1.0, "all", ALL_GOALS), (0.2, "some", SOME_GOALS)):
        table.head(
            f"A client that loses {share:.0%} of its SYNs with data beyond the natural loss", "clients", "reverted"
        )
        for loss, size, seed in cells:
            cell = clients(share, loss, size, runs[name], 5 * runs["rivals"], f"{seed} {name}")
            table.row(loss, size, cell, "revert", goals)
    for share in (1.0, 0.2):
        table.head(f"A wave with one client that loses {share:.0%} (one may always be reverted)", "waves", "named")
        for loss, size, seed in cells:
            extras = [share] + [0.0] * (size - 1)
            cell = waves(extras, loss, runs["mixed"], runs["rivals"] // 5, f"{seed} mixed {share}")
            table.row(loss, size, cell, "named", [])
    print(f"\n{table.missed} goals missed, {time.monotonic() - started:.0f} s")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
