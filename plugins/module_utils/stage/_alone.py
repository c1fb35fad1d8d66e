# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host does by itself, without a controller: for the console, the guard and the timers."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _lease, _lock, _record, _tidy
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome


@contextlib.contextmanager
def locked(say: t.Callable[[str], None]) -> t.Iterator[None]:
    """The host's lock; without it where it cannot be had, for the way down waits for nobody."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_lock.hold())
            _tidy.tidy()
        except (OSError, _record.RecordError) as error:
            say(f"going on without the lock: {error}")
        yield


def come_down(descent: _down.Descent) -> Outcome:
    """Bring it down; a run under whose lease nothing is left ends here. The caller holds the lock, if it could get it."""
    result = _down.down(descent, check=False)
    with contextlib.suppress(OSError, _record.RecordError):  # it is down; whatever is kept of it comes second
        lease = _record.load_lease()
        if lease and not lease.units:
            _record.end_run(lease.run, f"taken off by the {descent.by} at {_record.now()}: {descent.why}")
            _lease.drop()
    return result
