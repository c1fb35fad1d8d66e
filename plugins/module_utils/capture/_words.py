# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture in words."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.capture._pcap import Seen


def lines(side: str, seen: t.Mapping[int, Seen], requests: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """One line a port, and one for the requests of a client."""
    preposition = "from clients to" if side == "server" else "to"
    told = []
    if requests:
        answered = sum(bool(one["ok"]) for one in requests)
        told.append(f"{len(requests)} rounds of requests, {answered} answered")
    for port, one in seen.items():
        line = f"{one.syns} connections {preposition} port {port}, {one.with_data} with data in the SYN, {one.taken} of them taken"
        more = {
            "asked for a cookie": one.cookie_requests,
            "SYNs sent again": one.again,
            "answered by a reset": one.resets,
        }
        told.append(", ".join([line, *(f"{number} {words}" for words, number in more.items() if number)]))
    return told
