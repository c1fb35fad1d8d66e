# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arms and clients as they are measured, without noise."""

from __future__ import annotations

from typing import Optional

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Arm, Client, Connection, Path


def arm(requests: int, base: float = 200.0, late: int = 0, failed: int = 0, **counters: int) -> Arm:
    """An arm with evenly spread times around ``base``; the last ones of them late by a second, then the failed ones."""
    times = [base + index % 7 for index in range(requests - failed)]
    for index in range(late):
        times[-1 - index] += 1000
    return Arm(len(times), failed, times, counters)


def fast(requests: int, base: float = 100.0, late: int = 0, failed: int = 0) -> Arm:
    """The same with the counters of fast open; a late one was lost."""
    return arm(
        requests, base, late, failed, TCPFastOpenActive=requests - late, TCPFastOpenActiveFail=late, TCPSynRetrans=late
    )


def seen(measured: Arm, rtt: float = 100.0, lost: int = 0, taken: Optional[int] = None) -> Arm:
    """This arm with its connections: ``lost`` ones sent their SYN again, ``taken`` ones had their SYN data taken."""
    for number in range(measured.requests):
        syn_data = lost <= number < lost + (taken or 0)
        measured.connections.append(Connection(syn_data, int(number < lost), rtt + number % 3))
    return measured


def one(plain: Arm, fast_open: Arm, **more: object) -> Client:
    """A client of a single path."""
    return Client([Path("", "", plain, fast_open)], **more)  # type: ignore[arg-type]
