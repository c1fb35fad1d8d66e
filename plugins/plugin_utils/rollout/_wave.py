# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wave of clients or batch of servers: what became of its hosts so far, and what each of them does next."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._budget import Budget
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    ROLL_BACK,
)

BAD = ("reverted", "failed")
NO_CANARY = "no canary is left, so nothing can be learnt: mend what is named below, or choose other canaries"


@dataclasses.dataclass
class Host:
    """``outcome`` is '' or ``stepped`` on the way, in the end one of the scale of outcomes; ``said`` is its figure in words.

    ``since_step`` tells whether an unreachable host was lost since its step, so that it may be under TFO still.
    """

    outcome: str = ""
    reasons: list[str] = dataclasses.field(default_factory=list)
    said: str = ""
    since_step: bool = False

    def end(self, outcome: str, *reasons: str, said: str = "") -> None:
        """What became of it, and why."""
        self.outcome, self.reasons, self.said = outcome, list(reasons), said

    def because(self) -> str:
        """The figure, else the first reasons."""
        return self.said or "; ".join(self.reasons[:2])


@dataclasses.dataclass
class Tally:
    """Hosts of one side in the waves of a run: judged ones, the bad among them, undecided ones, and those that got lost."""

    judged: int = 0
    bad: int = 0
    undecided: int = 0
    lost: int = 0

    def plus(self, hosts: t.Iterable[Host]) -> Tally:
        """With these hosts as they are now; stepped ones count as judged."""
        total = dataclasses.replace(self)
        for host in hosts:
            total.judged += host.outcome in ("stepped", "promoted", *BAD)
            total.bad += host.outcome in BAD
            total.undecided += host.outcome == "inconclusive"
            total.lost += host.outcome == "unreachable" and host.since_step
        return total


@dataclasses.dataclass(frozen=True)
class Limits:
    """How many hosts may be bad, undecided or lost: more than one and more than the share of those judged are too many.

    Counted over the run. Of servers none may be bad: they restart for everybody.
    """

    reverted_share: float = 0.1
    unreachable_share: float = 0.1

    def bad(self, side: str, tally: Tally) -> bool:
        """Whether too many are bad."""
        return Budget(self.reverted_share, strict=side == "server").exceeded(tally.bad, tally.judged)

    def undecided(self, tally: Tally) -> bool:
        """Whether too many are undecided."""
        return Budget(self.reverted_share).exceeded(tally.undecided, tally.judged + tally.undecided)

    def lost(self, tally: Tally) -> bool:
        """Whether too many got lost since their step."""
        return Budget(self.unreachable_share).exceeded(tally.lost, tally.judged + tally.undecided + tally.lost)


@dataclasses.dataclass
class Wave:
    """``kind``: batch, canary or wave. ``stop``: nothing new is started after it. The lists name hosts of the wave;
    ``remember`` clients whose path was found bad, by itself or together with others, or whose step was not proven, so that later
    runs leave them alone. ``tally`` counts the waves before.

    ``ask`` and ``watch`` are what is to be measured next, see _asking, ``prove`` who sends SYNs with data to whom, likewise.
    ``as_server`` is how those hosts of a wave of
    clients that are servers as well have ended as such; ``stopped`` tells of the wave for which this one is not begun, whose
    hosts may be in this one as well.
    """

    side: str
    kind: str
    name: str
    hosts: dict[str, Host]
    limits: Limits = Limits()
    tally: Tally = dataclasses.field(default_factory=Tally)
    canary: bool = False
    as_server: dict[str, Host] = dataclasses.field(default_factory=dict)
    verdict: str = ""
    why: list[str] = dataclasses.field(default_factory=list)
    stop: bool = False
    stopped: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    confirm: list[str] = dataclasses.field(default_factory=list)
    revert: list[str] = dataclasses.field(default_factory=list)
    remember: list[str] = dataclasses.field(default_factory=list)
    ask: dict[str, list[dict[str, t.Any]]] = dataclasses.field(default_factory=dict)
    watch: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    prove: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)

    @classmethod
    def load(cls, kept: t.Mapping[str, t.Any]) -> Wave:
        """A wave as ``dataclasses.asdict`` has kept it, other keys left out."""
        known = {field.name: kept[field.name] for field in dataclasses.fields(cls)}
        for key in ("hosts", "as_server"):
            known[key] = {name: Host(**host) for name, host in kept[key].items()}
        return cls(**{**known, "limits": Limits(**kept["limits"]), "tally": Tally(**kept["tally"])})

    def with_outcome(self, *outcomes: str) -> list[str]:
        """The hosts with one of these outcomes."""
        return [name for name, host in self.hosts.items() if host.outcome in outcomes]

    @property
    def total(self) -> Tally:
        """The waves before this one and its own hosts as they are now."""
        return self.tally.plus(self.hosts.values())

    def weigh(
        self, against: t.Sequence[str] = (), unknown: t.Sequence[str] = ()
    ) -> tuple[t.Sequence[str], t.Sequence[str]]:
        """What speaks ``against`` the wave and what is ``unknown`` of it, with what the budgets of the run add to that.

        A canary in which nobody stays stops the run, for nothing was learnt; any other wave like that is passed over.
        """
        total, bad, undecided = self.total, self.with_outcome(*BAD), self.with_outcome("inconclusive")
        lost = [name for name in self.with_outcome("unreachable") if self.hosts[name].since_step]
        if self.limits.bad(self.side, total):
            against = [*against, f"{total.bad} of {total.judged} are bad so far ({', '.join(bad)}): too many"]
        if self.limits.lost(total):
            unknown = [*unknown, f"{total.lost} hosts were lost since their step ({', '.join(lost)}): too many"]
        if self.limits.undecided(total):
            unknown = [*unknown, f"{total.undecided} hosts are undecided so far ({', '.join(undecided)}): too many"]
        if self.canary and not self.with_outcome("stepped", "promoted") and not against and not unknown:
            against, unknown = ([NO_CANARY], []) if bad else ([], [NO_CANARY])
        return against, unknown

    def conclude(self, against: t.Sequence[str] = (), unknown: t.Sequence[str] = ()) -> None:
        """The verdict, why, and whether the run stops; what became of the hosts stays."""
        against, unknown = self.weigh(against, unknown)
        self.verdict = ROLL_BACK if against else INCONCLUSIVE if unknown else PROMOTE
        self.why, self.stop = list(against or unknown), self.verdict != PROMOTE

    def decide(self, against: t.Sequence[str] = (), unknown: t.Sequence[str] = ()) -> None:
        """The verdict, which hosts that are stepped follow: they are to be confirmed, or taken back."""
        self.conclude(against, unknown)
        stepped = self.with_outcome("stepped")
        self.ask, self.confirm = {}, [] if self.stop else stepped
        outcome, reason = {
            PROMOTE: ("promoted", ""),
            INCONCLUSIVE: ("inconclusive", "goes back with its wave, undecided"),
            ROLL_BACK: ("reverted", "goes back with its wave"),
        }[self.verdict]
        for name in stepped:
            host = self.hosts[name]
            host.end(outcome, *([reason] if reason else host.reasons), said="" if reason else host.said)
        if self.stop:
            self.revert += stepped


def stopped_at(kept: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the end of the run says of the wave that stopped it: this one, or the one for which this one was not begun."""
    if kept.get("verdict") in (ROLL_BACK, INCONCLUSIVE):
        return {"name": kept["name"], "verdict": kept["verdict"], "why": kept["why"], "hosts": list(kept["hosts"])}
    return kept.get("stopped", {})
