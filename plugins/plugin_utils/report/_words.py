# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and times in words."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._figures import Times

NAMED = 6
"""How many hosts, or reasons, are told before the rest is counted."""
VERDICTS = {"promote": "promoted", "roll_back": "taken back", "inconclusive": "undecided, taken back"}
COMMAND = re.compile(r"(ansible-playbook fastopen\.shadowsocks\.\w+(?: (?:-e|--limit) [\w.=,:!&*-]+)*)")


def milliseconds(value: t.Optional[float]) -> str:
    """In ms with one digit, or a dash where it is not known."""
    return "–" if value is None else f"{value:.1f} ms"


def share(value: t.Optional[float]) -> str:
    """In percent, or a dash where it is not known."""
    return "–" if value is None else f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def duration(seconds: float) -> str:
    """In seconds, minutes, hours or days, as a clock shows it."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 and seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"


def utc(moment: datetime.datetime) -> str:
    """A time to the second, in UTC."""
    return f"{moment.astimezone(datetime.timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


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
