# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout out of its journal."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _figures
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._values import (
    mapping,
    mappings,
    moment,
    number,
    text,
    texts,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._run import (
    TO_COME,
    UNDER_WAY,
    Host,
    Phase,
    Run,
    Together,
    Wave,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._journal import Journal

PHASES = {"begin": "measures before", "measured": "steps", "stepped": "bakes and measures", "judged": "settles"}
"""What follows each event of a wave, until the next one."""


def of_journal(journal: Journal) -> Run:
    """The run that a journal tells of; whatever the journal does not hold is left out."""
    preflight, end = journal.first("preflight"), journal.first("end")
    events = [event for event in journal.events if event.get("step") in ("batch", "canary", "wave")]
    names = list(dict.fromkeys([*mapping(preflight.get("waves")), *(text(event.get("name")) for event in events)]))
    by_name = {name: [event for event in events if event.get("name") == name] for name in names}
    waves = [_wave(name, by_name[name], preflight) for name in names]
    times = [moment(event.get("time")) for event in journal.events]
    hosts = _hosts(waves, preflight, end)
    waves = [_found_again(wave, hosts) for wave in waves] if end else waves
    return Run(
        text(preflight.get("run")),
        text(preflight.get("who")),
        moment(journal.started),
        next((time for time in reversed(times) if time), None),
        bool(end),
        number(preflight.get("lease_seconds")) or 0.0,
        waves,
        hosts,
        texts(end.get("next")),
        texts(preflight.get("plan")),
        mapping(preflight.get("limits")),
        {name: share for name, share in mapping(preflight.get("smallest_harm")).items() if number(share) is not None},
        {host: text(words) for host, words in mapping(preflight.get("also")).items()},
        text(preflight.get("limit")),
    )


def _wave(name: str, events: list[dict[str, t.Any]], preflight: dict[str, t.Any]) -> Wave:
    last = events[-1] if events else {}
    server = last.get("side") == "server" if events else name.startswith("batch")
    measured = next((mapping(event["measured"]) for event in events if "measured" in event), {})
    side, at = "server" if server else "client", text(last.get("what"))
    return Wave(
        name,
        side,
        at,
        texts(mapping(preflight.get("waves")).get(name)) or list(mapping(last.get("hosts"))),
        _phases(events),
        text(last.get("verdict")),
        texts(last.get("why")),
        [_host(host, side, one, name, at) for host, one in mapping(last.get("hosts")).items()],
        _figures.of_servers(measured) if server else _figures.of_clients(measured),
        _together(mapping(measured.get("judged"))),
    )


def _found_again(wave: Wave, ended: list[Host]) -> Wave:
    """With who was lost in it as the end of the run has them: they were tried once more."""
    last = {(host.name, host.side): host for host in ended}
    hosts = [last.get((host.name, host.side), host) if host.outcome == "unreachable" else host for host in wave.hosts]
    return dataclasses.replace(wave, hosts=hosts)


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


def _host(name: str, side: str, one: t.Any, wave: str, at: str) -> Host:
    """In its wave, after that one's event ``at``."""
    told = mapping(one)
    outcome = text(told.get("outcome"))
    decided = at in UNDER_WAY and outcome in ("promoted", "reverted", "inconclusive")
    reasons = tuple(texts(told.get("reasons")))
    why = text(told.get("said")) or "; ".join(reasons)
    since_step = outcome != "unreachable" or told.get("since_step") is not False
    return Host(name, side, "stepped" if decided else outcome, why, wave, reasons, since_step=since_step)


def _hosts(waves: list[Wave], preflight: dict[str, t.Any], end: dict[str, t.Any]) -> list[Host]:
    """As the end of the run names them; before it, as their waves left them so far. One that left the run before its
    waves has all of its sides."""
    refused = {host: text(why).removeprefix(f"{host}: ") for host, why in mapping(preflight.get("refused")).items()}
    sides = {host: texts(told) or [""] for host, told in mapping(preflight.get("sides")).items()}
    found = []
    if not end:
        for wave in waves:
            found += wave.hosts or [Host(name, wave.side, TO_COME, "", wave.name) for name in wave.planned]
        ended = [{"host": host, "outcome": "refused"} for host in refused] + mappings(preflight.get("gone"))
    else:
        ended = [mapping(one) for one in (end.get("hosts") if isinstance(end.get("hosts"), list) else [])]
    seen = {(host.name, host.side): host for wave in waves for host in wave.hosts}
    for one in ended:
        name, side, outcome = (text(one.get(key)) for key in ("host", "side", "outcome"))
        before = seen.get((name, side), Host(name, side, "", ""))
        why = refused.get(name, "") if outcome == "refused" and name in refused else text(one.get("why"))
        now = dataclasses.replace(before, outcome=outcome, why=why, remembered=one.get("remembered") is True)
        found += [dataclasses.replace(now, side=each) for each in ([side] if side else sides.get(name, [""]))]
    return found
