# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paired attempts to a server, and the local address from which they are made."""

from __future__ import annotations

import errno
import socket
import time
import typing as t


from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path

TIMEOUT_SECONDS = 2.5
"""The second SYN, after one second, is waited for, and its answer from far away."""


def pairs(target: Target, count: int) -> tuple[str, list[Pair]]:
    """The local address ('' where there is no way to the server) and up to so many pairs; fewer in an outage.

    Plain first and last in turn, so that neither kind is made later than the other.
    """
    try:
        address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)[0][4][0]
        source = _source(address, target.port)
    except OSError:
        return "", [Pair(time.time(), True, True)]
    made: list[Pair] = []
    for number in range(count):
        kinds = [_attempt.plain, _attempt.fast_open]
        both = {
            kind: kind(address, target.port, timeout=TIMEOUT_SECONDS) for kind in (kinds if number % 2 else kinds[::-1])
        }
        plain, fast = (both[kind] for kind in kinds)
        made.append(Pair(time.time(), _path.syn_lost(plain), _data_lost(fast)))
        if len(made) > 1 and all(pair.plain_lost for pair in made[-2:]):
            break
    return source, made


def _data_lost(attempt: _attempt.Attempt) -> t.Optional[bool]:
    """See Pair.fast_lost; a kernel that may not send SYN data says nothing either."""
    if attempt.errno == errno.EOPNOTSUPP:
        return None
    if _path.syn_lost(attempt):
        return True
    return False if attempt.syn_data else None


def _source(address: str, port: int) -> str:
    """Our address on the way there; connecting a datagram socket sends nothing. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        return str(sock.getsockname()[0])
