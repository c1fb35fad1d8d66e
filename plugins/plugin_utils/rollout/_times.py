# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans and moments in words."""

from __future__ import annotations

import datetime


def duration(seconds: float) -> str:
    """In seconds, minutes, hours or days, in its two largest units; a span cannot be below 0."""
    seconds = max(0.0, seconds)
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 and seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"


def utc(time: datetime.datetime) -> str:
    """A time to the second, in UTC."""
    return f"{time.astimezone(datetime.timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def moment(text: str) -> datetime.datetime:
    """The time that a journal tells, ISO 8601 with its zone. Raises ValueError."""
    found = datetime.datetime.fromisoformat(text)
    if not found.tzinfo:
        raise ValueError(f"{text} has no time zone")
    return found
