# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often the guard is right, as a table: days of simulated hosts whose ticks and attempts are decided by its own code.

Exit status 1 when a goal is missed. The same seed prints the same table.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from math import sqrt
from random import Random

from _guarded import Life, Lived, live

RATES = {"1 a second": 1.0, "1 a minute": 60.0}
HARMLESS = {
    "loss 2 %": Life(loss=0.02),
    "loss 2 % in bursts of 4": Life(loss=0.02, burst=4),
    "loss 2 % in bursts of 8": Life(loss=0.02, burst=8),
    "loss 5 % in bursts of 4": Life(loss=0.05, burst=4),
    "loss 5 % in bursts of 8": Life(loss=0.05, burst=8),
    "loss 20 %": Life(loss=0.2),
    "6 outages a day of 5 minutes, loss 2 %": Life(loss=0.02, outages=6, outage=300),
    "100 outages a day of 20 s, loss 2 %": Life(loss=0.02, outages=100, outage=20),
    "loss drifts from 0 to 5 % within a day": Life(loss=0.025, drift=True),
    "another network every minute, loss 2 %": Life(loss=0.02, moves=60),
}
HARMFUL = {
    "all SYN data lost": Life(extra=1.0),
    "all SYN data lost, loss 2 %": Life(loss=0.02, extra=1.0),
    "all SYN data lost, loss 5 % in bursts of 8": Life(loss=0.05, burst=8, extra=1.0),
    "all SYN data lost, another network every minute": Life(extra=1.0, moves=60),
    "30 % of SYN data lost": Life(extra=0.3),
    "30 % of SYN data lost, loss 2 %": Life(loss=0.02, extra=0.3),
}
MOST_FALSE = 1e-3  # a host and day, at a harmless loss of 2 %
MOST_MEDIAN = 60.0
MOST_CYCLES = 5  # holds of 1, 2, 4 and 8 hours in the first day
BEGINS = 3600.0
ERRORS = 3
FULL = {"days": 1500, "other": 150, "harmful": 300, "flap": 20}
QUICK = {"days": 20, "other": 5, "harmful": 15, "flap": 2}


class Table:
    """Prints rows as they come and counts the missed goals."""

    def __init__(self) -> None:
        self.missed = 0

    def row(self, columns: str, *cells: object, met: bool | None = None) -> None:
        """One row; ``met`` None: it has no goal."""
        self.missed += met is False
        print(columns.format(*cells, {True: "met", False: "MISSED", None: "-"}[met]), flush=True)


def harmless(table: Table, runs: dict[str, int], seed: str) -> None:
    """Nothing is wrong with SYN data, so nothing may be undone."""
    columns = "{:<44}{:<12}{:>10}{:>8}{:>12}{:>14}  {}"
    print("\nHarmless: false undoing")
    print(columns.format("", "requests", "host-days", "undone", "looks a day", "pairs a day", "goal"))
    for name, life in HARMLESS.items():
        for rate, every in RATES.items():
            has_goal = life.loss == 0.02 and life.outages == 0 and every == 1.0
            days = runs["days"] if has_goal else runs["other"]
            lives = [_live(life, every, 1.0, f"{seed} {name} {rate} {number}") for number in range(days)]
            undone = sum(len(one.undone) for one in lives)
            most = MOST_FALSE * days + ERRORS * sqrt(MOST_FALSE * days)
            per_day = [sum(getattr(one, what) for one in lives) / days for what in ("looks", "pairs")]
            met = undone <= most if has_goal else None
            table.row(columns, name, rate, days, undone, *(f"{value:.1f}" for value in per_day), met=met)


def harmful(table: Table, runs: dict[str, int], seed: str) -> None:
    """The path turns bad after an hour; how long until the host is plain."""
    columns = "{:<52}{:<12}{:>6}{:>9}{:>10}{:>10}{:>10}  {}"
    print("\nHarmful: seconds from the beginning until plain")
    print(columns.format("", "requests", "hosts", "undone", "median", "p90", "most", "goal"))
    for name, life in HARMFUL.items():
        for rate, every in RATES.items():
            lives = []
            for number in range(runs["harmful"]):
                random = Random(f"{seed} {name} {rate} {number}")
                begun = Life(**{**vars(life), "every": every, "begins": BEGINS + random.uniform(0, 60)})
                lives.append((begun.begins, live(begun, random, 1.0, lambda one: bool(one.undone))))
            times = sorted(one.undone[0] - begins for begins, one in lives if one.undone)
            told = (
                [f"{value:.0f}" for value in (statistics.median(times), times[int(0.9 * len(times))], times[-1])]
                if times
                else ["-"] * 3
            )
            all_lost = life.extra == 1.0 and every == 1.0 and not life.loss and not life.moves
            met = (
                bool(times) and len(times) == len(lives) and statistics.median(times) <= MOST_MEDIAN
                if all_lost
                else None
            )
            table.row(columns, name, rate, len(lives), f"{100 * len(times) / len(lives):.0f} %", *told, met=met)


def flapping(table: Table, runs: dict[str, int], seed: str) -> None:
    """With tfo_guard_return, over paths that are bad and good in turn, for three days."""
    columns = "{:<52}{:>8}{:>12}{:>16}  {}"
    print("\nWith tfo_guard_return: times taken off")
    print(columns.format("", "hosts", "first day", "a later day", "goal"))
    for swings in (60.0, 600.0, 3600.0, 7200.0, 21600.0):
        life = Life(loss=0.02, extra=1.0, swings=swings, returns=True)
        lives = [_live(life, 1.0, 3.0, f"{seed} {swings} {number}") for number in range(runs["flap"])]
        first = max(sum(at < 86400 for at in one.undone) for one in lives)
        later = max(max(sum(day <= at / 86400 < day + 1 for at in one.undone) for day in (1, 2)) for one in lives)
        name = f"all SYN data lost every other {swings:g} s"
        table.row(columns, name, len(lives), first, later, met=first <= MOST_CYCLES and later <= 2)


def _live(life: Life, every: float, days: float, seed: str) -> Lived:
    return live(Life(**{**vars(life), "every": every}), Random(seed), days)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="simulate/guard", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few host-days, some seconds")
    parser.add_argument("--seed", default="fastopen", help="another one gives other hosts")
    options = parser.parse_args(arguments)
    runs, started, table = QUICK if options.quick else FULL, time.monotonic(), Table()
    print(f"Seed {options.seed!r}; a tick every 30 s, losses of SYNs of both kinds unless it says SYN data.")
    for part in (harmless, harmful, flapping):
        part(table, runs, options.seed)
    print(f"\n{table.missed} goals missed, {time.monotonic() - started:.0f} s")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
