# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard sees and cannot mend, so that it is named: by the kernel's counters since the last look, and by paths. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _tick
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Target

LEAST = 10
SHARE = 0.1
"""So many connections, and such a share of them: every client loses its cookie once where a server's key changes."""

Named = dict[str, str]
"""{message, remedy}"""
SERVER = ("TCPFastOpenPassive", "TCPFastOpenPassiveFail", "TCPFastOpenListenOverflow")


def delta(before: t.Mapping[str, int], after: t.Mapping[str, int]) -> dict[str, int]:
    """By how much each counter rose that is known of before; one that is smaller now has begun anew (a boot)."""
    return {
        name: value - before[name] if value >= before[name] else value
        for name, value in after.items()
        if name in before
    }


def refused(risen: t.Mapping[str, int]) -> int:
    """Connections of this host whose SYN data arrived and was not taken: they failed, and no SYN was sent again."""
    return max(0, risen.get("TCPFastOpenActiveFail", 0) - risen.get("TCPSynRetrans", 0))


def is_paused(risen: t.Mapping[str, int]) -> bool:
    """Whether blackhole detection has paused TFO since, so that it is worth a few attempts to see whether it still does."""
    return risen.get("TCPFastOpenBlackhole", 0) > 0


def blind(found: t.Mapping[str, str], why: str) -> list[Named]:
    """That nothing can raise suspicion, by the counters that the tick has read; ``why`` they could not be read, if so."""
    if _tick.LOST in found:
        return []
    what = f"cannot be read ({why})" if why else f"has no {_tick.LOST} of TcpExt"
    return [
        {
            "message": f"the guard cannot watch: /proc/net/netstat {what}, so it would not notice a path that loses SYNs with data",
            "remedy": "let fastopen-guard.service read it, or watch this host from elsewhere",
        }
    ]


def is_refused(risen: t.Mapping[str, int]) -> bool:
    """Whether that is most of them, so that it is worth a few attempts to see which server."""
    return refused(risen) >= LEAST and refused(risen) > risen.get("TCPFastOpenActive", 0)


def server(risen: t.Mapping[str, int]) -> list[Named]:
    """What happened to SYNs with data that came here."""
    taken, refused_, overflow = (risen.get(name, 0) for name in SERVER)
    made = taken + refused_ + overflow
    found = []
    if overflow >= LEAST and overflow >= SHARE * made:
        found.append(
            {
                "message": f"of {made} SYNs with data {overflow} found the TFO queue of a listener full and went the plain way",
                "remedy": "ss_server_fast_open_mode: listener has a longer queue",
            }
        )
    if refused_ >= LEAST and refused_ >= SHARE * made:
        found.append(
            {
                "message": f"of {made} SYNs with data {refused_} had a cookie that was refused",
                "remedy": "servers that share an address need one tcp_fastopen_key",
            }
        )
    return found


CLIENT = {
    "paused": (
        "gets no SYN data, for this host's kernel has paused TFO to all destinations after time-outs: no time is lost, and none gained",
        "it goes on by itself; net.ipv4.tcp_fastopen_blackhole_timeout_sec=0 ends that now, and for good",
    ),
    "refused": (
        "takes no SYN data: no time is lost, and none gained",
        "see whether that server still accepts (audit), or something before it refuses",
    ),
    "lost": (
        "loses SYNs with data while plain ones pass: such connections wait a second",
        "the guard only watches here, so the playbook rollback takes the client back",
    ),
}


def client(found: t.Mapping[Target, str]) -> list[Named]:
    """Paths that gain nothing, and are left as they are."""
    return [
        {"message": f"{target.unit}: {target.host} port {target.port} {CLIENT[word][0]}", "remedy": CLIENT[word][1]}
        for target, word in found.items()
        if word in CLIENT
    ]
