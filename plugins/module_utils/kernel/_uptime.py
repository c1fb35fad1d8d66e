# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For how long the counters of this network namespace have been counting, as far as that can be known."""

from __future__ import annotations

import os

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def seconds(proc: str = "/proc") -> int | None:
    """Return the seconds since boot, or since the start of a container's first process, which is as old as its namespace.

    A namespace that was made later counts for less. Where /proc/uptime is a container's own already (lxcfs), the start
    of its first process lies beyond it and does not count. None where the kernel does not say.
    """
    try:
        up = float(_ascii.words(_ascii.read(os.path.join(proc, "uptime")))[0])
        fields = _ascii.words(_ascii.read(os.path.join(proc, "1", "stat")).rpartition(")")[2])
    except (OSError, ValueError, IndexError):
        return None
    # Field 22 of /proc/PID/stat, in clock ticks after boot (proc(5)); what is before it holds a name with blanks.
    started = _ascii.number(fields[19]) / _TICKS_A_SECOND if len(fields) > 19 else 0.0
    return int(up - started if started < up else up)
