# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a journal, in which anything may stand."""

from __future__ import annotations

import datetime
import math
import typing as t


def mapping(value: t.Any) -> dict[str, t.Any]:
    """A mapping as it is; empty for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: t.Any) -> list[dict[str, t.Any]]:
    """The mappings in a list; empty for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts(value: t.Any) -> list[str]:
    """A list as texts; empty for anything else."""
    return [text(one) for one in value] if isinstance(value, list) else []


def text(value: t.Any) -> str:
    """A text or a number as text; '' for anything else."""
    return str(value) if isinstance(value, (str, int, float)) else ""


def number(value: t.Any) -> t.Optional[float]:
    """A finite number, or None."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON's numbers have no end
        return None


def moment(value: t.Any) -> t.Optional[datetime.datetime]:
    """A time in ISO 8601 with its zone, or None."""
    try:
        found = datetime.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return found if found.tzinfo else None
