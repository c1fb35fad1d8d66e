# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal as it is read back: a file that a run may be writing still, that may be damaged, or somebody else's."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal as _written_journal

KINDS = ("rollout", "audit")


class JournalError(Exception):
    """There is no journal to be read; the text says which file, why, and what to do."""


@dataclasses.dataclass(frozen=True)
class Journal:
    """``events`` of a rollout, in their order; ``rows`` of an audit, one a side of a host."""

    path: str
    kind: str
    started: str
    events: list[dict[str, t.Any]]
    rows: list[dict[str, t.Any]]

    def first(self, step: str) -> dict[str, t.Any]:
        """The first event of a step; empty where there is none."""
        return next((event for event in self.events if event.get("step") == step), {})


def newest(folder: str) -> str:
    """The newest journal of a rollout in a folder. Raises JournalError."""
    found = _written_journal.newest(folder, "rollout")
    if not found:
        raise JournalError(f"rollout_report_dir: there is no journal of a rollout in {os.path.abspath(folder)}")
    return found


def read(path: str) -> Journal:
    """The journal in a file. Raises JournalError."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except OSError as error:
        raise JournalError(f"{path}: the journal cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{path}: the journal is damaged, it is no JSON: {error}") from error
    kind = mapping(content).get("kind")
    if kind not in KINDS:
        raise JournalError(
            f"{path}: this is no journal of a rollout or an audit: `kind` is not one of {', '.join(KINDS)}"
        )
    rows, events = content.get("rows", []), content.get("events", [])
    for name, entries in (("rows", rows), ("events", events)):
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise JournalError(f"{path}: the journal is damaged: `{name}` is no list of mappings")
    return Journal(os.path.abspath(path), kind, text(content.get("started")), events, rows)


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
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known and abs(value) < float("inf") else None


def moment(value: t.Any) -> t.Optional[datetime.datetime]:
    """A time in ISO 8601 with its zone, or None."""
    try:
        found = datetime.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return found if found.tzinfo else None
