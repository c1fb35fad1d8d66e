# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The top of a report, for somebody who was not there: what happened, why, and what to do next."""

from __future__ import annotations

import datetime
import typing as t
from statistics import median

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _unended
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._run import FINE, Run, Wave
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._told import (
    LOST_SYNS,
    NOW,
    Story,
    also,
    few,
    missing,
    reasons,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._words import (
    milliseconds,
    named,
    several,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._advice import AUDIT
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import duration


def of_run(run: Run, now: datetime.datetime) -> Story:
    """A rollout, which may be going on still."""
    if not run.ended:
        return _unended.of_run(run, now)
    if run.hosts and not any(wave.hosts for wave in run.waves) and all(host.outcome == "refused" for host in run.hosts):
        return _refused(run)
    stopped = run.stopped
    amiss = [host for host in run.hosts if host.outcome not in FINE]
    if stopped:
        return Story(
            "bad", f"Stopped at {stopped.name}: {stopped.ended}", _happened(run), _against(stopped), _next(run)
        )
    if amiss:
        state = "refused" if all(host.outcome == "refused" for host in amiss) else "bad"
        words = "refused" if state == "refused" else "not promoted"
        headline = f"Ended, with {several(len({host.name for host in amiss}), 'host')} {words}"
        return Story(state, headline, _happened(run), reasons(amiss), _next(run))
    headline = "Done: everybody is promoted" if all(h.outcome == "promoted" for h in run.hosts) else "Done"
    unproven = False
    if not any(wave.hosts for wave in run.waves):
        nobody = all(host.outcome == "skipped" for host in run.hosts)
        headline = "Nothing could be done: everybody is skipped" if nobody else "Nothing had to be done"
    elif run.unmeasured:
        headline, unproven = f"{headline}, but nothing was measured", True
    skipped = [host for host in run.hosts if host.outcome == "skipped"]
    why = [*_gained(run), *reasons(skipped)]
    return Story("open" if unproven else "good", headline, _happened(run), why, _next(run))


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
    others = [
        f"{count} {outcome} ({NOW.get(outcome, 'not known')})"
        for outcome, count in run.outcomes.items()
        if outcome != "promoted"
    ]
    told += [f"The others: {'; '.join(others)}."] if others else []
    told += [*missing(run), *also(run)]
    begun = [wave for wave in run.waves if wave.phases]
    if run.started and run.last and begun:
        took = duration((run.last - run.started).total_seconds())
        told.append(f"Waves begun: {len(begun)} of {len(run.waves)}, in {took}.")
    return told


def _next(run: Run) -> list[str]:
    """What lost SYNs mean, then what the run's end said."""
    lossy = [host.name for host in run.hosts if host.outcome == "reverted" and LOST_SYNS in host.why]
    if not lossy:
        return run.advice
    return [
        "Lost SYNs usually mean that a network or a middlebox on the path of these clients drops SYNs with data"
        f" ({named(lossy)}): keep them out, or have it mended.",
        *run.advice,
    ]


def _against(wave: Wave) -> list[str]:
    bad = [host for host in wave.hosts if host.outcome not in FINE] or wave.hosts
    told = [host for host in bad if not host.why.startswith("goes back with its wave")]
    return [*few([f"{wave.name}: {why}" for why in wave.why]), *reasons(told)]


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
    happened = ["The run ended in its preflight. Nothing was changed.", *_happened(run)]
    return Story("refused", "Refused: nothing was changed", happened, reasons(run.hosts), run.advice)
