# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a run by its journal, and follow it: a line a change, until it ends or does not go on."""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import (
    _journal,
    _process,
    _status,
    _status_lines,
    _times,
)

POLL_SECONDS = 1.0
Clock = t.Callable[[], _status.Time]


def look(path: str, now: Clock) -> tuple[_journal.Journal, _status.Status]:
    """The journal, and how its run stands. Raises JournalError, StatusError."""
    journal = _read(path, _size(path))
    status = _status.of(journal, now())
    if status.ended or not _process.gone(status.process):
        return journal, status
    journal = _read(path, _size(path))  # with what it may have written just before it went
    status = _status.of(journal, now())
    return journal, status if status.ended else dataclasses.replace(status, died=_status.GONE)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):  # who reads it says why
        return 0


@functools.lru_cache(maxsize=1)
def _read(path: str, size: int) -> _journal.Journal:
    """A journal that has not grown is not read again: that of 1,000 hosts takes a second."""
    return _journal.read(path)


def follow(path: str, show: t.Callable[[str], None], now: Clock, sleep: t.Callable[[float], None]) -> _status.Status:
    """How it stands at first, then every change; gives how it stands in the end. Raises what ``look`` does."""
    seen, waits = 0, ""
    while True:
        journal, status = look(path, now)
        events = journal.events
        if seen:
            for count in range(seen + 1, len(events)):
                then = _times.moment(events[count - 1]["time"])
                show(_status_lines.change(_status.of(dataclasses.replace(journal, events=events[:count]), then)))
            if (seen, waits) != (len(events), status.waits):
                show(_status_lines.change(status))
        if status.ended or status.died:
            return status
        if not seen:
            show("\n".join(_status_lines.lines(status, now())))
        seen, waits = len(events), status.waits
        sleep(POLL_SECONDS)
