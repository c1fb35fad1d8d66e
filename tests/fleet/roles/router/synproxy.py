# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's SYNPROXY in front of the servers, for chosen clients.

Packets pass the router's kernel twice, before and after the delay. Only the pass next to the servers is tracked, so that
sequence numbers are translated once. What the proxy answers in a server's place is marked, and takes the delayed way as
well. It announces no window before the server has answered: a connection through it takes one more round trip, with or
without Fast Open. A client's connections from before are cut, as by a real one. (iptables, since nftables' own
`synproxy` statement leaves IPv6 SYNs from a TUN device unanswered, seen on Linux 6.18.)
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

MARK = 1  # an `ip rule` of the router sends it the way of the servers' packets
LOOSE = Path(
    "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"
)  # off: the handshake's last ACK must not look established
TABLES = """\
*raw
{raw}COMMIT
*mangle
{mangle}COMMIT
*filter
{filter}COMMIT
"""
RAW = """\
-A PREROUTING -i clients -j CT --notrack
-A PREROUTING -i tun-clients -j CT --notrack
-A PREROUTING -i tun-servers -p tcp --syn -j CT --notrack
"""
MANGLE = f"-A OUTPUT -o clients -p tcp -m addrtype ! --src-type LOCAL -j MARK --set-mark {MARK}\n"
FILTER = """\
-A FORWARD -o servers -s {address} -p tcp -m conntrack --ctstate INVALID,UNTRACKED \
-j SYNPROXY --mss 1440 --wscale 7 --timestamp --sack-perm
-A FORWARD -o servers -s {address} -m conntrack --ctstate INVALID -j DROP
"""


def ruleset(addresses: Collection[str]) -> str:
    """What iptables-restore(8) is to load for these clients' addresses of one family; empty tables for none."""
    if not addresses:
        return TABLES.format(raw="", mangle="", filter="")
    rules = "".join(FILTER.format(address=address) for address in sorted(addresses))
    return TABLES.format(raw=RAW, mangle=MANGLE, filter=rules)


def apply(addresses: Collection[str]) -> None:
    """Load the rules of both families. A kernel without SYNPROXY was refused where the box was asked for."""
    for command, colon in (("iptables-restore", False), ("ip6tables-restore", True)):
        chosen = [address for address in addresses if (":" in address) == colon]
        subprocess.run([command], input=ruleset(chosen), text=True, check=True)
    if addresses:
        LOOSE.write_text("0", encoding="ascii")
