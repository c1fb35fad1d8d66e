# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The top of a report, for somebody who was not there: what happened, why, and what to do next."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from statistics import median

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._run import FINE, Host, Run, Wave
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._words import duration, milliseconds, several

NAMED = 6
"""How many hosts, or reasons, are told before the rest is counted."""
ROLLOUT = "ansible-playbook fastopen.shadowsocks.rollout"
AUDIT = "ansible-playbook fastopen.shadowsocks.audit"


@dataclasses.dataclass(frozen=True)
class Story:
    """``state`` is good, bad, refused or open; the lists are sentences."""

    state: str
    headline: str
    happened: list[str]
    why: list[str]
    next: list[str]


def of_run(run: Run, now: datetime.datetime) -> Story:
    """A rollout, which may be going on still."""
    if not run.ended:
        only_refused = run.hosts and not run.waves and all(host.outcome == "refused" for host in run.hosts)
        return _refused(run) if only_refused else _open(run, now)
    stopped = run.stopped
    amiss = [host for host in run.hosts if host.outcome not in FINE]
    if stopped:
        ending = "was taken back" if stopped.verdict == "roll_back" else "could not be decided, and was taken back"
        return Story("bad", f"Stopped: {stopped.name} {ending}", _happened(run), _against(stopped), run.advice)
    if amiss:
        state = "refused" if all(host.outcome == "refused" for host in amiss) else "bad"
        words = "refused" if state == "refused" else "not promoted"
        headline = f"Ended, with {several(len({host.name for host in amiss}), 'host')} {words}"
        return Story(state, headline, _happened(run), _reasons(amiss), run.advice)
    headline = "Done: everybody is promoted" if all(h.outcome == "promoted" for h in run.hosts) else "Done"
    if not any(wave.hosts for wave in run.waves):
        headline = "Nothing had to be done"
    skipped = [host for host in run.hosts if host.outcome == "skipped"]
    return Story("good", headline, _happened(run), [*_gained(run), *_reasons(skipped)], run.advice)


def of_audit(rows: t.Sequence[t.Mapping[str, t.Any]]) -> Story:
    """The state of a fleet, from the rows of an audit as the page shows them."""
    amiss = [row for row in rows if row["state"] not in ("ok", "foreign")]
    severe = [problem for row in rows for problem in row["problems"] if problem["severity"] == "error"]
    happened = [f"{len(rows) - len(amiss)} of {len(rows)} sides of hosts are as intended."]
    states = dict.fromkeys(row["state"] for row in amiss)
    happened += [f"{several(sum(row.get('state') == state for row in amiss), 'side')}: {state}." for state in states]
    happened += [f"{several(len(severe), 'problem')} of severity error."] if severe else []
    why = [f"{row['host']}: {reason}" for row in amiss for reason in row["drift"]]
    if not amiss and not severe:
        return Story("good", "The fleet is as intended", happened, [], ["There is nothing to be done."])
    headline = f"{several(len({row['host'] for row in amiss}), 'host')} not as intended"
    again = f"Mend what is named, by deploy, rollout or by hand, then look again: {AUDIT}"
    return Story("bad", headline if amiss else "As intended, with problems", happened, few(why), [again])


def few(sentences: list[str]) -> list[str]:
    """The first ones, and how many more there are."""
    more = len(sentences) - NAMED
    return sentences[:NAMED] + ([f"{more} more, see below."] if more > 0 else [])


def by_reason(hosts: t.Iterable[Host]) -> dict[tuple[str, str], list[Host]]:
    """Those that ended alike for the same reason, by outcome and reason."""
    found: dict[tuple[str, str], list[Host]] = {}
    for host in hosts:
        found.setdefault((host.outcome, host.why), []).append(host)
    return found


def _happened(run: Run) -> list[str]:
    told = []
    for side, does in (
        ("server", "Servers that accept SYN data for good"),
        ("client", "Clients that send it for good"),
    ):
        hosts = [host for host in run.hosts if host.side == side]
        if hosts:
            promoted = sum(host.outcome == "promoted" for host in hosts)
            told.append(f"{does}: {promoted} of {len(hosts)}.")
    others = [f"{count} {outcome}" for outcome, count in run.outcomes.items() if outcome != "promoted"]
    told += [f"The others: {', '.join(others)}."] if others else []
    begun = [wave for wave in run.waves if wave.phases]
    if run.started and run.last and begun:
        took = duration((run.last - run.started).total_seconds())
        told.append(f"Waves begun: {len(begun)} of {len(run.waves)}, in {took}.")
    return told


def _against(wave: Wave) -> list[str]:
    bad = [host for host in wave.hosts if host.outcome not in FINE]
    told = [host for host in bad if not host.why.startswith("goes back with its wave")]
    return [*few([f"{wave.name}: {why}" for why in wave.why]), *_reasons(told)]


def _reasons(hosts: t.Sequence[Host]) -> list[str]:
    told = []
    for (outcome, why), alike in by_reason(hosts).items():
        names = list(dict.fromkeys(host.name for host in alike))
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        told.append(f"{', '.join(names[:NAMED])}{more} {outcome}{': ' if why else ''}{why}")
    return few(told)


def _gained(run: Run) -> list[str]:
    pairs = [pair for wave in run.waves if wave.side == "client" for pair in wave.measured.judged]
    known = [(pair.gain_ms, pair.rtt_ms) for pair in pairs if pair.gain_ms is not None]
    if not known:
        return []
    half = median(gain for gain, _trip in known)
    trips = [trip for _gain, trip in known if trip]
    beside = f"; a round trip takes {milliseconds(median(trips))}" if trips else ""
    comes = f"{milliseconds(abs(half))} {'earlier' if half >= 0 else 'later'}"
    return [f"With TCP Fast Open the first byte comes {comes}, in the median of {several(len(known), 'path')}{beside}."]


def _refused(run: Run) -> Story:
    happened = [f"The preflight refused {several(len(run.hosts), 'host')}, that is everybody. Nothing was changed."]
    return Story(
        "refused",
        "Refused: nothing was changed",
        happened,
        _reasons(run.hosts),
        [f"Mend that, then run it again: {ROLLOUT}"],
    )


def _open(run: Run, now: datetime.datetime) -> Story:
    going = next((wave for wave in reversed(run.waves) if wave.hosts), None)
    happened = [
        (
            f"The last thing known is {going.name} at {run.last:%Y-%m-%d %H:%M:%S %Z}."
            if going and run.last
            else "No wave was begun."
        )
    ]
    until = run.last + datetime.timedelta(seconds=run.lease_seconds) if run.last else None
    over = bool(until and run.lease_seconds and now > until)
    headline = "The run ended without an end" if over else "Still running, or ended without an end"
    why = ["The journal has no end of the run. It was killed, lost its connections, or has not come to its end yet."]
    if until and run.lease_seconds:
        undone = "have undone it by" if over else "undo it at"
        why.append(
            f"Hosts whose step was not confirmed {undone} {until:%Y-%m-%d %H:%M:%S %Z} at the latest, by themselves."
        )
    first = [] if over else ["See whether ansible-playbook is running still. If so, wait for its end."]
    after = [f"Look at the fleet: {AUDIT}", f"Then run it again: {ROLLOUT}"]
    return Story("open", headline, happened, why, [*first, *after])
