# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rollout stands, in an operator's words."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._advice import again
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._shown import STATUS
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._status import (
    SILENT,
    Status,
    Time,
    seconds,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import duration, moment, utc

FINE = "everybody is promoted, or skipped for a reason"
UNDONE = "Hosts undo by themselves what was not confirmed when their lease ends"
HELD = "; until then another run over them needs -e rollout_take_over={}"
WATCH = f"Next: nothing to do; {STATUS} -e status_watch=true follows it"


def lines(status: Status, now: Time) -> list[str]:
    """All of it for people."""
    shown = [f"Run {status.run}, begun {_when(status.started)} by {status.who}"]
    shown += [status.lacks] if status.lacks else []
    if status.wave:
        shown.append(f"Step {status.step} of {status.steps}: {status.wave} ({status.side}s){_verdict(status)}")
        shown += [f"  {'because' if status.verdict != 'promote' else 'seen':<12} {why}" for why in status.why]
    else:
        shown.append("No step was begun" if status.ended else f"Preflight is over, steps to come: {status.steps}")
    if status.ended:
        took = duration(seconds(status.started, moment(status.written)))
        how = f"stopped at {status.stopped}" if status.stopped else "not all is well" if status.amiss else FINE
        shown.append(f"Ended {_when(status.written)}, after {took}: {how}")
    else:
        left = ""
        if status.until and not status.died:
            left = f", {duration(-seconds(status.until, now))} left (until {_when(status.until)})"
        shown.append(
            f"  {'waited for' if status.died else 'waits for':<12} {status.waits}, since {_when(status.since)}{left}"
        )
    shown += [f"  {outcome:<12} {len(hosts)}: {_lines.named(hosts)}" for outcome, hosts in status.outcomes.items()]
    shown += [f"    {host}: {why}" for host, why in list(status.amiss.items())[: _lines.SHOWN_HOSTS]]
    more = len(status.amiss) - _lines.SHOWN_HOSTS
    shown += [f"    and {more} more, all of them in the journal"] if more > 0 else []
    if status.died:
        silent = f"nothing was written for {duration(seconds(status.written, now))}, longer than the lease of its hosts"
        how, held = ("its process is gone", HELD) if status.died != SILENT else (silent, "")
        undone = f"{UNDONE}{held.format(status.run)}. Next, once what stopped it is mended: {again(status.limit)}"
        return [*shown, f"It does not go on: {how}. {undone}"]
    return [*shown, *(status.next if status.ended else [WATCH])]


def change(status: Status) -> str:
    """What is new, in one line, for who watches."""
    counts = ", ".join(f"{len(hosts)} {outcome}" for outcome, hosts in status.wave_outcomes.items())
    step = f"{status.step} of {status.steps}, {status.wave}{_verdict(status)}: {counts}" if status.wave else "preflight"
    until = f", until {_clock(status.until)}" if status.until else ""
    return f"{_clock(status.since or status.written)}  {step}; " + (
        "the run has ended" if status.ended else f"waits for {status.waits}{until}"
    )


def _verdict(status: Status) -> str:
    return f", {status.verdict}" if status.verdict else ""


def _when(text: str) -> str:
    return utc(moment(text))


def _clock(text: str) -> str:
    return f"{moment(text):%H:%M:%S}"
