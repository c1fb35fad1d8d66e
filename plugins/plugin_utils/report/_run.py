# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout out of its journal: its waves with their times and figures, and how every host has ended."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _figures
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._journal import (
    Journal,
    mapping,
    moment,
    number,
    text,
    texts,
)

STAGES = {"server": "accept", "client": "send"}
STAGE_NOW = {
    "skipped": "as it was",
    "refused": "as it was",
    "inconclusive": "plain",
    "reverted": "plain",
    "failed": "not proven",
    "unreachable": "not known",
    "stepped": "stepped",
}
PHASES = {"begin": "measures before", "measured": "steps", "stepped": "bakes and measures", "judged": "settles"}
"""What follows each event of a wave, until the next one."""
FINE = ("promoted", "skipped")


@dataclasses.dataclass(frozen=True)
class Phase:
    """``word`` is what happens, from ``begin`` to ``end``."""

    word: str
    begin: datetime.datetime
    end: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Host:
    """One side of a host: what became of it, where, and why. ``stage``: what is known to run now."""

    name: str
    side: str
    outcome: str
    why: str
    wave: str = ""
    reasons: tuple[str, ...] = ()

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
    """A batch of servers, or a wave of clients; ``phases`` is empty for one that was not begun."""

    name: str
    side: str
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
    def promoted(self) -> int:
        """How many hosts."""
        return sum(host.outcome == "promoted" for host in self.hosts)


@dataclasses.dataclass(frozen=True)
class Run:
    """``ended``: the journal has its end. ``limits``: variables by name. ``smallest_harm``: a share by wave of clients."""

    name: str
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


def of_journal(journal: Journal) -> Run:
    """The run that a journal tells of; whatever the journal does not hold is left out."""
    preflight, end = journal.first("preflight"), journal.first("end")
    events = [event for event in journal.events if event.get("step") in ("batch", "canary", "wave")]
    names = list(dict.fromkeys([*mapping(preflight.get("waves")), *(text(event.get("name")) for event in events)]))
    by_name = {name: [event for event in events if event.get("name") == name] for name in names}
    waves = [_wave(name, by_name[name], preflight) for name in names]
    times = [moment(event.get("time")) for event in journal.events]
    return Run(
        text(preflight.get("run")),
        moment(journal.started),
        next((time for time in reversed(times) if time), None),
        bool(end),
        number(preflight.get("lease_seconds")) or 0.0,
        waves,
        _hosts(waves, preflight, end),
        texts(end.get("next")),
        texts(preflight.get("plan")),
        mapping(preflight.get("limits")),
        {name: share for name, share in mapping(preflight.get("smallest_harm")).items() if number(share) is not None},
    )


def _wave(name: str, events: list[dict[str, t.Any]], preflight: dict[str, t.Any]) -> Wave:
    last = events[-1] if events else {}
    server = last.get("side") == "server" if events else name.startswith("batch")
    measured = next((mapping(event["measured"]) for event in events if "measured" in event), {})
    side = "server" if server else "client"
    return Wave(
        name,
        side,
        texts(mapping(preflight.get("waves")).get(name)) or list(mapping(last.get("hosts"))),
        _phases(events),
        text(last.get("verdict")),
        texts(last.get("why")),
        [_host(host, side, one, name) for host, one in mapping(last.get("hosts")).items()],
        _figures.of_servers(measured) if server else _figures.of_clients(measured),
        _together(mapping(measured.get("judged"))),
    )


def _together(judged: dict[str, t.Any]) -> Together:
    pooled, coverage = mapping(judged.get("pooled")), mapping(judged.get("coverage"))
    return Together(
        text(pooled.get("summary")),
        texts(pooled.get("reasons"))[1:],  # the first is the summary
        number(coverage.get("networks")),
        [label for label in texts(coverage.get("labels")) if label],
        number(coverage.get("detectable_share")),
        number(mapping(pooled.get("figures")).get("excluded_share")),
    )


def _phases(events: list[dict[str, t.Any]]) -> list[Phase]:
    """What happened between its events; a wave that goes on has no end of its last one yet."""
    found = []
    for event, following in zip(events, events[1:]):
        begin, end, at = moment(event.get("time")), moment(following.get("time")), text(event.get("what"))
        word = "settles" if event.get("verdict") else PHASES.get(at, at)
        if begin and end and end >= begin:
            found.append(Phase(word, begin, end))
    return found


def _host(name: str, side: str, one: t.Any, wave: str) -> Host:
    told = mapping(one)
    reasons = tuple(texts(told.get("reasons")))
    why = text(told.get("said")) or "; ".join(reasons)
    return Host(name, side, text(told.get("outcome")), why, wave, reasons)


def _hosts(waves: list[Wave], preflight: dict[str, t.Any], end: dict[str, t.Any]) -> list[Host]:
    """As the end of the run names them; before it, as their waves left them so far."""
    refused = {host: text(why).removeprefix(f"{host}: ") for host, why in mapping(preflight.get("refused")).items()}
    seen = {(host.name, host.side): host for wave in waves for host in wave.hosts}
    if not end:
        return [*seen.values(), *(Host(host, "", "refused", why) for host, why in refused.items())]
    found = []
    for one in map(mapping, end.get("hosts") if isinstance(end.get("hosts"), list) else []):
        name, side, outcome = (text(one.get(key)) for key in ("host", "side", "outcome"))
        before = seen.get((name, side))
        why = refused.get(name, "") if outcome == "refused" and name in refused else text(one.get("why"))
        wave, reasons = (before.wave, before.reasons) if before else ("", ())
        found.append(Host(name, side, outcome, why, wave, reasons))
    return found
