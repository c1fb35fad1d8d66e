# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP counters of the network namespace, read by name: their columns move between kernels."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

# The counters that a rollout looks at; a kernel that lacks one simply does not report it.
NAMES = (
    "TCPFastOpenActive",
    "TCPFastOpenActiveFail",
    "TCPFastOpenBlackhole",
    "TCPFastOpenPassive",
    "TCPFastOpenPassiveFail",
    "TCPFastOpenPassiveAltKey",
    "TCPFastOpenCookieReqd",
    "TCPFastOpenListenOverflow",
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDoCookies",
    "TCPReqQFullDrop",
    "SyncookiesSent",
    "SyncookiesRecv",
    "SyncookiesFailed",
    "TCPSynRetrans",
    "TCPTimeouts",
    "RetransSegs",
    "OutSegs",
    "AttemptFails",
    "EstabResets",
)


def parse(text: str, group: str) -> dict[str, int]:
    """Return {name: count} of one group ("TcpExt", "Tcp"): a line of names, then a line of numbers.

    What is no number is left out, so nothing is raised.
    """
    prefix = group + ":"
    rows = [_ascii.words(line)[1:] for line in _ascii.lines(text) if line.startswith(prefix)]
    pairs = (pair for names, counts in zip(rows[::2], rows[1::2]) for pair in zip(names, counts))
    return {name: _ascii.integer(count) for name, count in pairs if _ascii.is_integer(count)}


def read(proc: str = "/proc") -> dict[str, int]:
    """Return every Tcp and TcpExt counter of this process's network namespace (RFC 4022, linux/snmp.h)."""
    counters: dict[str, int] = {}
    for file, group in (("snmp", "Tcp"), ("netstat", "TcpExt")):
        counters.update(parse(_ascii.read(os.path.join(proc, "net", file)), group))
    return counters


def delta(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return after - before of the counters that both have."""
    return {name: after[name] - before[name] for name in after if name in before}
