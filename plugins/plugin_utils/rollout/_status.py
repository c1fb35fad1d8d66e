# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rollout stands, by its journal alone: which step of how many, what it waits for and since when, what is next."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._values import mapping, mappings, text, texts
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end, _journal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import moment

Time = datetime.datetime

UNDER_WAY, TO_COME, NO_STEP = "under way", "to come", "no step"
"""Hosts of the wave that is begun and of those that are not, and hosts that are in no wave, beside the scale of outcomes."""
ORDER = (*_end.ORDER, "stepped", UNDER_WAY, TO_COME, NO_STEP)
SILENT, GONE = "silent", "gone"
"""How a run has died."""
WAITS = {
    "preflight": "its hosts to be held, and deployed where nothing runs yet",
    "begin": "the measurement before the step",
    "measured": "the step of its hosts, and its proof",
    "bake": "the bake",
    "stepped": "the measurement after the step",
    "judged": "more requests, for it is not clear yet",
    "decided": "the step to be made to last, or taken back",
    "last": "the end: who was lost is tried once more, and all hosts are let go",
}


class StatusError(Exception):
    """This is not the journal of a rollout; the message says what it lacks."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Times are ISO 8601 in UTC. ``step`` is 0 before the first of ``steps``; ``outcomes`` has the hosts by outcome, of all
    steps, ``wave_outcomes`` those of this wave. ``until`` is the end of a bake, else ''. ``died``: a run that
    does not go on is SILENT, when nothing was written for longer than the lease of its hosts, or GONE, see _watch.
    ``lacks`` says what cannot be read of the journal, ``process`` is what _process.process told of the run's. ``amiss`` says
    by host why a run that ended did so badly. ``limit`` is what --limit was, '' without one.
    """

    run: str
    who: str
    process: str
    limit: str
    started: str
    written: str
    lacks: str
    steps: int
    step: int = 0
    wave: str = ""
    side: str = ""
    verdict: str = ""
    why: tuple[str, ...] = ()
    outcomes: t.Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    wave_outcomes: t.Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    waits: str = ""
    since: str = ""
    until: str = ""
    died: str = ""
    ended: bool = False
    stopped: str = ""
    amiss: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    next: tuple[str, ...] = ()


def of(journal: _journal.Journal, now: Time) -> Status:
    """How the run of this journal stands. Raises StatusError."""
    if journal.kind != "rollout":
        raise StatusError(f"it is not the journal of a rollout, but of an {journal.kind}")
    if not journal.events and not journal.unread:
        raise StatusError("its run has not told its plan yet")
    if not journal.first("preflight"):
        raise StatusError(f"the plan of its run is not in it. {journal.lacks}".rstrip())
    try:
        return _of(journal, now)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__} {error}".rstrip()
        raise StatusError(f"it is not the journal of a rollout, or it is damaged: {what}") from error


def _of(journal: _journal.Journal, now: Time) -> Status:
    plan, last = journal.first("preflight"), journal.events[-1]
    for event in journal.events:
        moment(event["time"])
    waves: dict[str, t.Mapping[str, t.Any]] = {one["name"]: one for one in journal.events if "what" in one}
    status = Status(
        run=text(plan["run"]),
        who=text(plan["who"]),
        process=text(plan["process"]),
        limit=text(plan.get("limit")),
        started=journal.started or plan["time"],
        written=last["time"],
        lacks=journal.lacks,
        steps=max(len(plan["waves"]), len(waves)),
        outcomes=_outcomes(plan, waves),
    )
    if waves:
        name, wave = list(waves.items())[-1]
        order = list(plan["waves"])
        status = dataclasses.replace(
            status,
            step=1 + order.index(name) if name in order else len(waves),
            wave=text(name),
            side=text(wave["side"]),
            verdict=text(wave["verdict"]),
            why=tuple(texts(wave["why"])),
            wave_outcomes=_by_outcome((host, one["outcome"] or UNDER_WAY) for host, one in wave["hosts"].items()),
        )
    if last["step"] == "end":
        return dataclasses.replace(
            status,
            ended=True,
            outcomes=_by_outcome((one["host"], one["outcome"]) for one in last["hosts"]),
            stopped=text(last["stopped"]),
            amiss={host: text(why) for host, why in mapping(last["amiss"]).items()},
            next=tuple(texts(last["next"])),
        )
    died = SILENT if seconds(last["time"], now) > plan["lease_seconds"] else ""
    waits, since, until = _waits(last, list(plan["waves"]), now)
    return dataclasses.replace(status, waits=waits, since=since, until=until, died=died)


def _waits(last: t.Mapping[str, t.Any], order: list[str], now: Time) -> tuple[str, str, str]:
    """What a run waits for after this event, since when, and until when where that is known."""
    what, since = last.get("what", "preflight"), last["time"]
    if what == "closed" or last.get("stop") and what == "begin":
        after = order[order.index(last["name"]) + 1 :] if last["name"] in order and not last["stop"] else []
        return (f"{after[0]} to begin" if after else WAITS["last"]), since, ""
    if last.get("verdict"):
        return WAITS["decided"], since, ""
    if what == "stepped":
        end = moment(since) + datetime.timedelta(seconds=last["bake_seconds"])
        until = end.isoformat(timespec="milliseconds")
        return (WAITS["bake"], since, until) if now < end else (WAITS["stepped"], until, "")
    return WAITS[what], since, ""


def _outcomes(plan: t.Mapping[str, t.Any], waves: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """The hosts of all waves as they are now, begun or not, and those that are in none, were refused by the plan, or were gone before it."""
    pairs = [(host, one["outcome"] or UNDER_WAY) for wave in waves.values() for host, one in wave["hosts"].items()]
    pairs += [(host, TO_COME) for name, hosts in plan["waves"].items() if name not in waves for host in hosts]
    pairs += [(host, "refused") for host in plan["refused"]]
    pairs += [(text(one.get("host")), text(one.get("outcome"))) for one in mappings(plan.get("gone"))]
    named = {host for host, _outcome in pairs}
    return _by_outcome([*pairs, *((host, NO_STEP) for host in plan["hosts"] if host not in named)])


def _by_outcome(pairs: t.Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for host, outcome in pairs:
        hosts = found.setdefault(outcome, [])
        hosts += [] if host in hosts else [text(host)]
    return {outcome: found[outcome] for outcome in ORDER if outcome in found}


def seconds(since: str, now: Time) -> float:
    """How long ago that is."""
    return (now - moment(since)).total_seconds()
