# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's SYNPROXY (nftables) in front of the servers, for chosen clients.

Packets pass the router's kernel twice, before and after the delay. Only the pass next to the servers is tracked, so that
sequence numbers are translated once. What the proxy answers in a server's place is marked, and takes the delayed way as
well. A client's connections from before are cut, as by a real one.
"""
from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

MARK = 1  # an `ip rule` of the router sends it the way of the servers' packets
LOOSE = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_loose")  # off: the handshake's last ACK must not look established
CLEAN = "add table inet fleet_synproxy\ndelete table inet fleet_synproxy\n"
TABLE = """\
table inet fleet_synproxy {{
    chain early {{
        type filter hook prerouting priority raw
        iifname {{ "clients", "tun-clients" }} notrack
        iifname "tun-servers" tcp flags & (fin|syn|rst|ack) == syn notrack
    }}
    chain through {{
        type filter hook forward priority filter
        oifname "servers" jump proxied
    }}
    chain proxied {{
{rules}    }}
    chain answers {{
        type route hook output priority mangle
        oifname "clients" meta l4proto tcp fib saddr type != local meta mark set {mark}
    }}
}}
"""
RULE = """\
        {family} saddr {address} ct state invalid,untracked synproxy mss 1440 wscale 7 timestamp sack-perm
        {family} saddr {address} ct state invalid drop
"""


def ruleset(addresses: Collection[str]) -> str:
    """What nft(8) is to load for these clients' addresses; for none, that the table goes."""
    if not addresses:
        return CLEAN
    rules = [RULE.format(family="ip6" if ":" in address else "ip", address=address) for address in sorted(addresses)]
    return CLEAN + TABLE.format(rules="".join(rules), mark=MARK)


def apply(addresses: Collection[str]) -> None:
    """Load the rules. A kernel without SYNPROXY has been refused where the box was asked for."""
    subprocess.run(["nft", "-f", "-"], input=ruleset(addresses), text=True, check=True)
    if addresses:
        LOOSE.write_text("0", encoding="ascii")
