# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals on the controller: one file a run, JSON lines, complete and readable at every moment.

The first line is {kind, started, ...}, of an audit with its ``rows``; each further line is an event {time, step, ...} of a rollout. A line is
written at once or not at all, as far as the system lets it; what became of one that was cut short is told by ``read``.
"""

from __future__ import annotations

import dataclasses
import datetime
import glob
import json
import os
import tempfile
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import moment

SUFFIXES = {"rollout": ".jsonl", "audit": ".json"}
"""By kind the end of a journal's name: an audit has one line, and so it is JSON as well."""


STAMP = f"{'[0-9]' * 8}T{'[0-9]' * 6}.[0-9][0-9][0-9]Z"
"""When a journal was begun, in its name, as a pattern of ``glob``."""


class JournalError(Exception):
    """There is no journal to be read; the text says which file, why, and what to do."""


@dataclasses.dataclass(frozen=True)
class Journal:
    """``started`` is ISO 8601 with its zone, '' where the first line does not tell it; ``events`` of a rollout, in their order;
    ``rows`` of an audit, one a side of a host.

    ``unread``: how many lines after the first cannot be read, because a full disk or the end of their writer cut them short.
    """

    path: str
    kind: str
    started: str
    events: list[dict[str, t.Any]]
    rows: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    unread: int = 0

    def first(self, step: str) -> dict[str, t.Any]:
        """The first event of a step; empty where there is none."""
        return next((event for event in self.events if event.get("step") == step), {})

    @property
    def lacks(self) -> str:
        """What cannot be read of it, as a sentence; '' where all of it can."""
        lines = "1 line" if self.unread == 1 else f"{self.unread} lines"
        return f"The journal is not whole: {lines} of it cannot be read; it was cut short while it was written." * bool(
            self.unread
        )


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def start(folder: str, kind: str, content: t.Mapping[str, t.Any], *events: t.Mapping[str, t.Any]) -> str:
    """Begin a journal in folder, which is made where it is missing, and give its path. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S.%f")[:-3]
    path = os.path.join(os.path.abspath(folder), f"{kind}-{stamp}Z{SUFFIXES[kind]}")
    lines = [_line({"kind": kind, "started": now(), **content}), *(_line({"time": now(), **one}) for one in events)]
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".new")
    with os.fdopen(handle, "wb") as stream:
        stream.write(b"".join(lines))
        stream.flush()
        os.fsync(handle)
    os.rename(temporary, path)
    return path


def append(path: str, event: t.Mapping[str, t.Any]) -> None:
    """Add an event, by one write that is on the disk before this returns. Raises OSError, TypeError, ValueError.

    Behind a line that was cut short it begins one of its own.
    """
    line = _line({"time": now(), **event})
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        line = b"\n" * cut + line
        written = os.write(handle, line)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes of an event were written")
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: str) -> Journal:
    """The journal in a file that a run may be writing still, that may be damaged, or somebody else's. Raises JournalError."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
            raise JournalError(f"{path}: the journal cannot be read: it is no file")
        with open(path, "rb") as stream:
            first, *others = stream.read().split(b"\n")
    except (OSError, ValueError) as error:  # the latter for a path that none can have
        raise JournalError(f"{path}: the journal cannot be read: {getattr(error, 'strerror', error)}") from None
    head = _parsed(first)
    if head is None:
        raise JournalError(f"{path}: the journal is damaged, or none: its first line is no JSON mapping")
    kind = head.get("kind")
    if kind not in tuple(SUFFIXES):
        raise JournalError(
            f"{path}: this is no journal of a rollout or an audit: `kind` is not one of {', '.join(SUFFIXES)}"
        )
    rows = head.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise JournalError(f"{path}: the journal is damaged: `rows` is no list of mappings")
    events = [_parsed(line) for line in others if line]
    known = [event for event in events if event is not None]
    return Journal(
        os.path.abspath(path),
        kind,
        _time(head.get("started")),
        known,
        rows,
        len(events) - len(known),
    )


def newest(folder: str, kind: str) -> str:
    """The path of the journal of this kind that was begun last, '' where there is none. One that somebody has given a name of
    its own does not count: names tell which was begun last."""
    pattern = f"{kind}-{STAMP}{SUFFIXES[kind]}"
    return max(glob.glob(os.path.join(glob.escape(os.path.abspath(folder)), pattern)), default="")


def chosen(path: str, folder: str, variable: str) -> str:
    """The journal of a rollout that ``variable`` names, or else the newest one in folder. Raises JournalError."""
    found = path or newest(folder, "rollout")
    if not found:
        raise JournalError(
            f"There is no journal of a rollout in {os.path.abspath(folder)}: name its folder as for the rollout, with"
            f" rollout_report_dir, or give the file with -e {variable}=FILE"
        )
    return found


def _line(content: t.Mapping[str, t.Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _time(told: t.Any) -> str:
    try:
        return told if moment(told) else ""
    except (TypeError, ValueError):
        return ""


def _parsed(line: bytes) -> t.Optional[dict[str, t.Any]]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
