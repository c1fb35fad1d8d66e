# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences at the top of a report that several kinds of runs share."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._run import Host, Run
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._words import NAMED, named

NOW = {
    "skipped": "plain TCP, as before",
    "refused": "unchanged: plain TCP, unless it had TCP Fast Open before",
    "inconclusive": "plain TCP again",
    "reverted": "plain TCP again",
    "failed": "not known what runs there",
    "unreachable": "not known what runs there",
    "stepped": "not confirmed",
}
"""What runs on hosts that are not promoted, by outcome."""
LOST_SYNS = "loses SYNs with data"
"""What the judge calls it."""


@dataclasses.dataclass(frozen=True)
class Story:
    """``state`` is good, bad, refused or open; the lists are sentences."""

    state: str
    headline: str
    happened: list[str]
    why: list[str]
    next: list[str]


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


def reasons(hosts: t.Iterable[Host]) -> list[str]:
    """Who has ended how, and why."""
    told = []
    for (outcome, why), alike in by_reason(hosts).items():
        told.append(f"{named(host.name for host in alike)} {outcome}{': ' if why else ''}{why}")
    return few(told)


def missing(run: Run) -> list[str]:
    """What the run was told to leave out, so that good news is not taken for more than it is."""
    if not run.unbaked or not any(wave.hosts for wave in run.waves):
        return []
    if run.unmeasured:
        return [
            "Nothing was measured (rollout_probe_requests is 0), and no bake was made: no time under real traffic."
            " Each step was proven to be in effect, not to do no harm."
        ]
    return ["No bake was made (rollout_bake_seconds is 0): no time under real traffic."]


def also(run: Run) -> list[str]:
    """Side effects of steps that are still there, or may be."""
    on = {host.name for host in run.hosts if host.side == "server" and host.outcome in ("promoted", "stepped")}
    return [f"Also changed: {host}: {words}." for host, words in run.also.items() if host in on]
