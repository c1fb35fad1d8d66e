# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout as its page tells it: its waves with their times and figures, and how every host has ended."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _figures, _words
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._values import number
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._status import TO_COME

STAGES = {"server": "accept", "client": "send"}
STAGE_NOW = {
    TO_COME: "as before",
    "skipped": "plain, as before",
    "refused": "as it was",
    "inconclusive": "plain",
    "reverted": "plain",
    "failed": "not proven",
    "unreachable": "not known",
    "stepped": "stepped, not confirmed",
}
FINE = ("promoted", "skipped")
UNDER_WAY = ("stepped", "judged", "judged_again")
"""Events of a wave between its step and its end."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """``word`` is what happens, from ``begin`` to ``end``."""

    word: str
    begin: datetime.datetime
    end: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Host:
    """One side of a host: what became of it, where, and why. ``stage``: what is known to run now.

    ``remembered``: later runs leave it alone. ``since_step``: False of one that did not answer before its step, and made none.
    """

    name: str
    side: str
    outcome: str
    why: str
    wave: str = ""
    reasons: tuple[str, ...] = ()
    remembered: bool = False
    since_step: bool = True

    @property
    def stage(self) -> str:
        """accept, send, or what else is known of it."""
        return STAGES.get(self.side, "") if self.outcome == "promoted" else STAGE_NOW.get(self.outcome, "not known")


@dataclasses.dataclass(frozen=True)
class Together:
    """What the judge said of a wave as a whole. ``networks`` judged, by ``labels``; ``shows_from``: the share of networks
    that has to be bad for one of those to have shown it; ``excluded``: the share of SYNs lost in addition."""

    summary: str
    reasons: list[str]
    networks: t.Optional[float]
    labels: list[str]
    shows_from: t.Optional[float]
    excluded: t.Optional[float]


@dataclasses.dataclass(frozen=True)
class Wave:
    """A batch of servers, or a wave of clients; ``phases`` is empty for one that was not begun. ``at``: its last event."""

    name: str
    side: str
    at: str
    planned: list[str]
    phases: list[Phase]
    verdict: str
    why: list[str]
    hosts: list[Host]
    measured: _figures.Measured
    together: Together

    @property
    def stopped(self) -> bool:
        """Whether the run stopped here."""
        return self.verdict in ("roll_back", "inconclusive")

    @property
    def under_way(self) -> bool:
        """Whether its hosts are stepped, as far as the journal tells: what was decided is done once it is closed."""
        return self.at in UNDER_WAY

    @property
    def ended(self) -> str:
        """What its verdict came to, in words; '' where there is none."""
        return _words.ended(self.verdict, [host.outcome for host in self.hosts if host.since_step])

    @property
    def promoted(self) -> int:
        """How many hosts."""
        return sum(host.outcome == "promoted" for host in self.hosts)


@dataclasses.dataclass(frozen=True)
class Run:
    """``ended``: the journal has its end. ``limits``: variables by name. ``smallest_harm``: a share by wave of clients.
    ``also``: by host what else a step changes there. ``limit``: what --limit was."""

    name: str
    who: str
    started: t.Optional[datetime.datetime]
    last: t.Optional[datetime.datetime]
    ended: bool
    lease_seconds: float
    waves: list[Wave]
    hosts: list[Host]
    advice: list[str]
    plan: list[str]
    limits: dict[str, t.Any]
    smallest_harm: dict[str, float]
    also: dict[str, str]
    limit: str

    @property
    def unmeasured(self) -> bool:
        """Whether the run was told to measure nothing; then it bakes nothing either."""
        return number(self.limits.get("rollout_probe_requests")) == 0

    @property
    def unbaked(self) -> bool:
        """Whether no step had a time under real traffic."""
        return self.unmeasured or number(self.limits.get("rollout_bake_seconds")) == 0

    @property
    def stopped(self) -> t.Optional[Wave]:
        """Where the run stopped, if it did."""
        return next((wave for wave in self.waves if wave.stopped), None)

    @property
    def outcomes(self) -> dict[str, int]:
        """How many sides of hosts have ended so, in the order of the scale."""
        order = ("promoted", "skipped", "inconclusive", "reverted", "failed", "refused", "unreachable")
        counts = {one: sum(host.outcome == one for host in self.hosts) for one in order}
        return {outcome: count for outcome, count in counts.items() if count}
