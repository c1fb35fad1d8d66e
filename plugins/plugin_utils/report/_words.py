# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and times in words."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._figures import Times

NAMED = 6
"""How many hosts, or reasons, are told before the rest is counted."""
COMMAND = re.compile(r"(ansible-playbook fastopen\.shadowsocks\.\w+(?: (?:-e|--limit) (?:'[^']+'|[\w.=,:!&*@%+/-]+))*)")


def ended(verdict: str, outcomes: t.Collection[str]) -> str:
    """What the verdict of a wave came to for its hosts; '' where there is none."""
    found = set(outcomes)
    unknown = found & {"failed", "unreachable"}
    if verdict == "promote":
        return "promoted" if found & {"stepped", "promoted"} else "passed over, nobody was promoted"
    if verdict not in ("roll_back", "inconclusive"):
        return ""
    if "promoted" in found:
        now = "promoted hosts stay"
    elif not unknown and not found & {"stepped", "reverted", "inconclusive"}:
        now = "nobody made the step"
    else:
        now = f"taken back{', not all of it proven plain' if unknown else ''}"
    return now if verdict == "roll_back" else f"undecided, {now}"


def milliseconds(value: t.Optional[float]) -> str:
    """In ms with one digit, or a dash where it is not known."""
    return "–" if value is None else f"{value:.1f} ms"


def share(value: t.Optional[float]) -> str:
    """In percent, or a dash where it is not known."""
    return "–" if value is None else f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def requests(arm: Times) -> str:
    """An arm in a sentence."""
    if not arm.requests:
        return f"{arm.name}: no request."
    told = f"{arm.name}: {arm.requests} requests"
    if arm.ttfb_ms:
        low, high = milliseconds(arm.quantile(0.1)), milliseconds(arm.quantile(0.9))
        told += f", median {milliseconds(arm.median)}, 10 % to 90 % from {low} to {high}"
    return f"{told}, {arm.late} late, {arm.failed} failed."


def with_commands(words: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is a command to be typed."""
    return [(piece, bool(number % 2)) for number, piece in enumerate(COMMAND.split(words)) if piece]


def named(names: t.Iterable[str]) -> str:
    """Some names, each once, and how many more there are."""
    once = list(dict.fromkeys(names))
    more = f" and {len(once) - NAMED} more" if len(once) > NAMED else ""
    return f"{', '.join(once[:NAMED])}{more}"


def several(count: int, one: str, many: str = "") -> str:
    """1 host, 2 hosts."""
    return f"{count} {one if count == 1 else many or one + 's'}"
