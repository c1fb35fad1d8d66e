# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bits of net.ipv4.tcp_fastopen, read and described the way the kernel reads them."""

from __future__ import annotations

import re

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

# include/net/tcp.h (TFO_CLIENT_ENABLE … TFO_SERVER_WO_SOCKOPT1) and Documentation/networking/ip-sysctl.rst
SEND = 0x1
ACCEPT = 0x2
SEND_WITHOUT_COOKIE = 0x4
ACCEPT_WITHOUT_COOKIE = 0x200
ALL_LISTENERS = 0x400
KNOWN = SEND | ACCEPT | SEND_WITHOUT_COOKIE | ACCEPT_WITHOUT_COOKIE | ALL_LISTENERS

# net/ipv4/tcp_ipv4.c, tcp_sk_init(): the value of every new network namespace since Linux 3.13
DEFAULT = SEND

# kernel/sysctl.c, proc_get_long(): base 0, a sign, at most 20 characters, then a blank, a tab, a newline or the end;
# whatever follows that is ignored. In front of it is what isspace() of include/linux/ctype.h takes, the byte 0xa0 too.
_NUMBER = re.compile(
    "[\t-\r \udca0]*(?=[-0-9a-fA-FxX]{1,20}(?:[ \t\n]|\\Z))(?P<sign>-?)"
    "(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*))(?=[ \t\n]|\\Z)"
)


def parse(text: str) -> int:
    """Return the integer that the kernel stores for `text`; ValueError where the kernel answers EINVAL."""
    match = _NUMBER.match(text)
    if match is None:
        raise ValueError(f"{_ascii.strip(text)!r} is not a number that the kernel accepts")
    if match["hex"]:
        number = int(match["hex"], 16)
    elif match["octal"]:
        number = int(match["octal"], 8)
    else:
        number = int(match["decimal"])
    number = -number if match["sign"] else number
    if not -(2**31) <= number < 2**31:
        raise ValueError(f"{_ascii.strip(text)!r} does not fit into the kernel's int")
    return number


def describe(value: int) -> dict[str, int | bool]:
    """Return the value and one boolean per documented bit."""
    return {
        "value": value,
        "send": bool(value & SEND),
        "accept": bool(value & ACCEPT),
        "all_listeners": bool(value & ALL_LISTENERS),
        "send_without_cookie": bool(value & SEND_WITHOUT_COOKIE),
        "accept_without_cookie": bool(value & ACCEPT_WITHOUT_COOKIE),
    }


def apply(value: int, *, send: bool | None, accept: bool | None, all_listeners: bool | None) -> int:
    """Return `value` with the three bits set, cleared or (None) kept; every other bit is kept."""
    for bit, wanted in ((SEND, send), (ACCEPT, accept), (ALL_LISTENERS, all_listeners)):
        if wanted is not None:
            value = value | bit if wanted else value & ~bit
    return value
