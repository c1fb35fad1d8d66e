# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a rollout before anything is changed: against all of it, or against a host alone."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._advice import DEPLOY_FIRST
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._end import UNCHANGED
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._plan import Look

CLAIM = re.compile("rollout_take_over|no say on this host")
"""Reasons of a step that is refused because another run holds the host."""
UNFIT = " has no --fast-open"
"""A build that no deployment changes, and no step can do without."""
NO_KERNEL = "this kernel has no TCP Fast Open"
LEFT_OUT = "a condition keeps it out, and a playbook works on hosts together: use --limit"
"""Of a host that a condition (`when` at import_playbook) leaves out."""


def kept_out(host: str, sides: t.Sequence[Look], told: t.Mapping[str, t.Any]) -> list[str]:
    """What the inventory says against TCP Fast Open on this host, as one line."""
    against = []
    for side in (look["side"] for look in sides):
        against += [f"ss_{side}_state is absent"] if told.get(f"ss_{side}_state") == "absent" else []
        against += [f"ss_{side}_fast_open is false"] if told.get(f"ss_{side}_fast_open") is False else []
    if not against:
        return []
    return [
        f"{host}: {', '.join(against)}, and a rollout would turn it on: run it with --limit 'all:!{host}', or take the"
        " variable away"
    ]


def held(host: str, sides: t.Sequence[Look]) -> list[str]:
    """Who holds this host, as one line."""
    claims = [reason for reason in _step_reasons(sides) if CLAIM.search(reason)]
    return [f"{host}: {'; '.join(claims)}"] if claims else []


def twins(machines: t.Mapping[str, str]) -> list[str]:
    """Names of one machine, a line each machine: its two names would change and take back one another's services.

    By host which machine it is, '' where nobody knows.
    """
    names: dict[str, list[str]] = {}
    for host, machine in machines.items():
        if machine:
            names.setdefault(machine, []).append(host)
    return [
        f"{', '.join(hosts)} are names of one machine: leave one of them in the inventory, in both groups if it is both"
        for hosts in names.values()
        if len(hosts) > 1
    ]


def refusals(sides: t.Sequence[Look]) -> list[str]:
    """Why this host alone is left out: it is not deployed as the inventory says, or may not be stepped."""
    found = [reason for reason in _step_reasons(sides) if not CLAIM.search(reason)]
    found += [line for look in sides for line in look["foreign"]]
    found += [item["why"] for look in sides for item in look["differs"] if item["why"].endswith(UNFIT)]
    found += [
        NO_KERNEL for look in sides if look["fastopen"]["sysctl"] is None and look["step"]["outcome"] != "skipped"
    ]
    undeployed = [
        item["name"]
        for look in sides
        if look["deployed"] == "differs"
        for item in look["differs"]
        if not item["why"].endswith(UNFIT)
    ]
    if undeployed:
        names = ", ".join(dict.fromkeys(undeployed))
        found.append(f"deployed otherwise than the inventory says ({names}): {DEPLOY_FIRST}")
    return list(dict.fromkeys(found))


def bare(host: str, refusal: str) -> str:
    """The reasons of a host's refusal alone."""
    return refusal.removeprefix(f"{host}: ").removesuffix(UNCHANGED)


def _step_reasons(sides: t.Sequence[Look]) -> list[str]:
    return [reason for look in sides if look["step"]["outcome"] == "refused" for reason in look["reasons"]]
