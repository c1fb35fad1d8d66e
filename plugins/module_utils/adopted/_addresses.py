# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses at which others may reach this network namespace, from /proc."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

_LOCAL = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL$", re.MULTILINE)
"""An own address in /proc/net/fib_trie (net/ipv4/fib_trie.c, fib_trie_seq_show)."""
_GLOBAL = "00"
"""The scope of a row of /proc/net/if_inet6 (net/ipv6/addrconf.c, if6_seq_show)."""


def of_interfaces(proc: str = "/proc") -> list[str]:
    """IPv4 and then IPv6, each sorted; neither loopback nor link-local ones. Empty where the kernel does not tell."""
    four = {ipaddress.IPv4Address(text) for text in _LOCAL.findall(_read(f"{proc}/net/fib_trie"))}
    rows = [line.split() for line in _read(f"{proc}/net/if_inet6").splitlines()]
    six = {ipaddress.IPv6Address(bytes.fromhex(row[0])) for row in rows if len(row) > 3 and row[3] == _GLOBAL}
    found = [*sorted(four), *sorted(six)]
    return [str(one) for one in found if not (one.is_loopback or one.is_link_local)]


def _read(path: str) -> str:
    try:
        return _ascii.read(path)
    except OSError:
        return ""
