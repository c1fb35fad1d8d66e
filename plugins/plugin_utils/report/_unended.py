# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The top of a report on a run without an end."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._run import TO_COME, Run
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._told import (
    Story,
    also,
    missing,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._words import named
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._advice import AUDIT, again
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._shown import STATUS
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import duration, utc


def of_run(run: Run, now: datetime.datetime) -> Story:
    """A run without an end: it may go on until its hosts have waited for it for as long as they do."""
    going = next((wave for wave in reversed(run.waves) if wave.hosts), None)
    until = run.last + datetime.timedelta(seconds=run.lease_seconds) if run.last and run.lease_seconds else None
    over = bool(until and now > until)
    last = f"{going.name} at {utc(run.last)}" if going and run.last else ""
    happened = [f"The journal's last entry is of {last}." if last else "No wave was begun.", *_states(run, until, over)]
    happened += [*missing(run), *also(run)]
    look = f"look at the fleet: {AUDIT}; then run it again: {again(run.limit)}"
    if over:
        waits = duration(run.lease_seconds)
        why = [f"The journal has no end of the run, and nothing was written for longer than its hosts wait ({waits})."]
        return Story("open", "Ended without an end", happened, why, [f"L{look[1:]}"])
    why = ["The journal has no end of the run: it has not come to it yet, was killed, or lost its connections."]
    first = f"Find out whether it is running: {STATUS}; if so, wait for its end."
    held = f"Until its lease ends, another run over its hosts needs -e rollout_take_over={run.name}."
    return Story("open", "May still be running", happened, why, [first, f"If not, {look}", held])


def _states(run: Run, until: t.Optional[datetime.datetime], over: bool) -> list[str]:
    """Who is confirmed, who undoes a step by itself, and who is as before, as far as the journal tells."""
    at = {wave.name: wave.at for wave in run.waves}
    waiting = [
        host for host in run.hosts if host.outcome == "stepped" or (not host.outcome and at[host.wave] != "begin")
    ]
    before = [
        host.name
        for host in run.hosts
        if host.outcome in ("skipped", TO_COME) or (not host.outcome and host not in waiting)
    ]
    when = f", at about {utc(until)}" if until else ""
    undone = f"A host that is up undoes that by itself when its lease ends{when}"
    undone = f"The lease ended{when}: a host that was up has undone it by itself" if over else undone
    states = (
        ("Confirmed, and stays: {}.", _with(run, "promoted")),
        (
            f"Stepped, or about to be, and not confirmed as far as the journal tells: {{}}. {undone}.",
            [host.name for host in waiting],
        ),
        ("Plain TCP again: {}.", _with(run, "reverted", "inconclusive")),
        ("No step was begun, as before: {}.", before),
        ("Refused, nothing was changed there: {}.", _with(run, "refused")),
        ("Not known what runs there: {}.", _with(run, "failed", "unreachable")),
    )
    return [words.replace("{}", named(names)) for words, names in states if names]


def _with(run: Run, *outcomes: str) -> list[str]:
    return [host.name for host in run.hosts if host.outcome in outcomes]
