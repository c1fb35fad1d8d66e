# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paired attempts to a server, and the local address from which they are made."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _request
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path

TIMEOUT_SECONDS = 2.5
"""The second SYN, after one second, is waited for, and its answer from far away."""


def pairs(target: Target, count: int, client: t.Optional[_request.Client] = None) -> tuple[str, list[Pair]]:
    """The local address ('' where there is no way to the server) and up to so many pairs; fewer in an outage.

    Plain first and last in turn, so that neither kind is made later than the other. With a running ``client`` it is the SYN
    of a real request that has data; an attempt of one byte stands in where nothing is seen of that.
    """
    try:
        address, source = _way(target)
    except OSError:
        return "", [Pair(time.time(), True, True)]

    def plain() -> t.Optional[bool]:
        return _path.syn_lost(_attempt.plain(address, target.port, timeout=TIMEOUT_SECONDS))

    def fast() -> tuple[t.Optional[bool], bool]:
        lost = _request.data_lost(client, target, TIMEOUT_SECONDS) if client else None
        if lost is not None:
            return lost, False
        attempt = _attempt.fast_open(address, target.port, timeout=TIMEOUT_SECONDS)
        return _data_lost(attempt), _path.is_paused(attempt)

    made: list[Pair] = []
    for number in range(count):
        told = {kind: kind() for kind in ((plain, fast) if number % 2 else (fast, plain))}
        made.append(Pair(time.time(), bool(told[plain]), *told[fast]))
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


def _way(target: Target) -> tuple[str, str]:
    """The first of the server's addresses to which there is a way, and ours on it: of a family that this host has not,
    shadowsocks-rust takes none. Raises OSError."""
    *others, last = _path.addresses(target.host, target.port, ipv6_first=target.ipv6_first)
    for address in others:
        with contextlib.suppress(OSError):
            return address, _source(address, target.port)
    return last, _source(last, target.port)


def _source(address: str, port: int) -> str:
    """Our address on the way there; connecting a datagram socket sends nothing. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        return str(sock.getsockname()[0])
