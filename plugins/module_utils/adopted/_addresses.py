# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses by which hosts know one another: those of this network namespace, and the form to compare them in."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

_LOCAL = re.compile(r"\|-- ([0-9.]+)\n *(?:/[0-9]+ [^\n]*\n *)*?/32 host LOCAL")
"""A leaf of /proc/net/fib_trie (fib_trie_seq_show() in net/ipv4/fib_trie.c)."""
_GLOBAL = "00"
_TEMPORARY, _TENTATIVE = 0x01, 0x40
"""IFA_F_SECONDARY, which is IPv6's temporary, and IFA_F_TENTATIVE (include/uapi/linux/if_addr.h)."""


def read(proc: str = "/proc") -> list[str]:
    """IPv4 first; neither loopback nor link-local, and no IPv6 address that changes by itself. A family that the kernel
    lacks has none."""
    found = [*map(ipaddress.IPv4Address, dict.fromkeys(_LOCAL.findall(_text(f"{proc}/net/fib_trie"))))]
    addresses = [str(one) for one in sorted(found) if not one.is_loopback and not one.is_link_local]
    rows = [_ascii.words(line) for line in _ascii.lines(_text(f"{proc}/net/if_inet6"))]
    lasting = [
        ipaddress.IPv6Address(bytes.fromhex(row[0]))
        for row in rows
        if len(row) == 6 and row[3] == _GLOBAL and not int(row[4], 16) & (_TEMPORARY | _TENTATIVE)
    ]
    return addresses + [str(one) for one in sorted(lasting)]


def normal(address: str) -> str:
    """An address or a name in the one form in which it is compared; empty where it means nothing on another host."""
    text = address.strip().rstrip(".").lower()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return "" if found.is_link_local else str(found)


def _text(path: str) -> str:
    try:
        return _ascii.read(path)
    except OSError:
        return ""
