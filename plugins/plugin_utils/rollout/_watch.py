# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a run by its journal: a line a change, until it ends or has fallen silent."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal, _status

POLL_SECONDS = 1.0


def follow(
    path: str,
    show: t.Callable[[str], None],
    now: t.Callable[[], _status.Time],
    sleep: t.Callable[[float], None],
) -> _status.Status:
    """How it stands at first, then every change; gives how it stands in the end. Raises OSError, ValueError, StatusError."""
    seen, waits = 0, ""
    while True:
        report = _journal.read(path)
        status, events = _status.of(report, now()), report["events"]
        if not seen and not status.ended and not status.silent:
            show("\n".join(_status.lines(status, now())))
        elif seen:
            for count in range(seen + 1, len(events)):
                then = _status.moment(events[count - 1]["time"])
                show(_status.change(_status.of({**report, "events": events[:count]}, then)))
            if (seen, waits) != (len(events), status.waits):
                show(_status.change(status))
        if status.ended or status.silent:
            return status
        seen, waits = len(events), status.waits
        sleep(POLL_SECONDS)
