# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that were meant: the known one next to a mistyped one."""

from __future__ import annotations

import difflib
import re
import typing as t

EDITS, LETTERS = 2, 5
"""More differences than EDITS, or than one in so many LETTERS, make another name, which may well be somebody's own."""


def nearest(name: str, known: t.Iterable[str]) -> t.Optional[str]:
    """The most similar of the known names, however far it is; None where nothing is alike."""
    found = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None


def hint(name: str, known: t.Iterable[str]) -> str:
    """For the end of a message: what may have been meant, or ''."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def mistyped(name: str, known: t.Collection[str]) -> t.Optional[str]:
    """The known name that this one is a slip of, or None: few letters differ, or the end, a unit say, was left away."""
    if name in known:
        return None
    name = name.lower().replace("-", "_")
    close = [(_distance(name, other), other) for other in known if abs(len(name) - len(other)) <= EDITS]
    best = min(close, default=(EDITS + 1, ""))
    if best[0] <= min(EDITS, len(best[1]) // LETTERS):
        # A part that a value is put together from, ss_server_instances_a say, is meant.
        return None if re.fullmatch(f"{re.escape(best[1])}(_.|_?[0-9]+)", name) else best[1]
    longer = sorted(other for other in known if other.startswith(f"{name}_"))
    return longer[0] if longer else None


def astray(name: str, known: t.Mapping[str, str], kin: t.Iterable[t.Collection[str]]) -> t.Optional[str]:
    """The known name whose end this one has after a wrong prefix, or None.

    ``known`` gives each name's prefix. Wrong is one that a letter is amiss in, or another one of the same ``kin``.
    """
    if name in known:
        return None
    plain = name.lower().replace("-", "_")
    for other, prefix in known.items():
        end = other[len(prefix) :]
        if not plain.endswith(end) or plain == end:
            continue
        given = plain[: -len(end)]
        if given.startswith("_") or given[-1:].isdigit():
            continue  # somebody's own part of it, such as _ss_server_instances or ss_server2_instances
        if _distance(given, prefix) <= 1 or any({given, prefix} <= set(one) for one in kin):
            return other
    return None


def _distance(one: str, other: str) -> int:
    """Letters to insert, delete, change or swap with the next (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, there in enumerate(other, 1):
            cost = min(line[-1] + 1, last[column] + 1, last[column - 1] + (letter != there))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == there:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return last[-1]
