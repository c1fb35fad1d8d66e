# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured, what it may cost, and how that is printed. A goal that is missed is told, and is no error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).resolve().parent


class Step(NamedTuple):
    """A measured run: `changes` tells whether it must change every host, or none; goals in pings, None: no goal."""

    label: str
    playbook: str
    changes: bool
    wall_goal: float | None = None
    cpu_goal: float | None = None
    arguments: tuple[str, ...] = ()


class Cost(NamedTuple):
    """Seconds of wall time and of the controller's CPU; MiB of its greatest process (its forks share most of that)."""

    wall: float
    cpu: float
    peak: float


Round = tuple[dict[str, Cost], list[Cost]]
"""What each step cost, and each ping meanwhile."""

PING, STATE, STOCK, SPOIL = (str(HERE / name) for name in ("ping.yml", "state.yml", "stock.yml", "spoil.yml"))
DEPLOY = Step("deploy, fresh hosts", "fastopen.shadowsocks.deploy", True)
ROLLOUT = Step("rollout, first", "fastopen.shadowsocks.rollout", True, wall_goal=3.5)
ROLLED_OUT = (
    ROLLOUT,
    Step("rollout, again", "fastopen.shadowsocks.rollout", False, wall_goal=1.3, cpu_goal=1.5),
    Step("audit", "fastopen.shadowsocks.audit", False),
    Step("deploy, again", "fastopen.shadowsocks.deploy", False),
)
ROLLBACK = Step("rollback, all", "fastopen.shadowsocks.rollback", True, arguments=("-e", "rollback_scope=all"))
BY_STOCK = (Step("stock modules, first", STOCK, True), Step("stock modules, again", STOCK, False))
STEPS = (DEPLOY, *ROLLED_OUT, ROLLBACK, *BY_STOCK)


def table(rounds: Sequence[Round]) -> Iterator[str]:
    """The lines of the result: the median of the rounds, with the least and the greatest where there are several."""
    pings = [Cost(*(median(kind) for kind in zip(*pings))) for _costs, pings in rounds]
    walls, cpus = [ping.wall for ping in pings], [ping.cpu for ping in pings]
    yield f"One ping play (PP): {spread(walls, 's')} of wall time, {spread(cpus, 's')} of controller CPU"
    yield f"{'':22}{'wall / PP':18}{'goal':14}{'CPU / PP':18}goal"
    for step in STEPS:
        wall = [costs[step.label].wall / ping.wall for (costs, _pings), ping in zip(rounds, pings)]
        cpu = [costs[step.label].cpu / ping.cpu for (costs, _pings), ping in zip(rounds, pings)]
        cells = f"{spread(wall):18}{goal(wall, step.wall_goal):14}{spread(cpu):18}{goal(cpu, step.cpu_goal)}"
        yield f"{step.label:22}{cells}".rstrip()


def growth(label: str, less: float, more: float, unit: str, most: float | None = None) -> str:
    """A line that compares two sizes of the same thing."""
    figures = f"{f'{less:.1f} {unit}':14}{f'{more:.1f} {unit}':14}{more / less:<8.1f}"
    return f"{label:30}{figures}{goal([more / less], most)}".rstrip()


def spread(numbers: Sequence[float], unit: str = "") -> str:
    """The median, and in brackets the least and the greatest."""
    middle = f"{median(numbers):.2f}{unit and ' '}{unit}"
    return middle if len(numbers) == 1 else f"{middle} ({min(numbers):.2f}-{max(numbers):.2f})"


def goal(ratios: Sequence[float], most: float | None) -> str:
    """The goal, and whether the median met it."""
    return "" if most is None else f"≤ {most:g} {'met' if median(ratios) <= most else 'missed'}"
