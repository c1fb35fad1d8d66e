# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection attempt, plain or with data in its SYN, and what the kernel says about it. Needs no privilege."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _tcp_info

TIMEOUT_SECONDS = 5.0  # two lost SYNs are sent again after 1 s and 3 s (RFC 6298: initial RTO 1 s, doubled)
PAYLOAD = b"\0"  # one byte: ss-server waits for more of its salt and logs nothing
_MSG_FASTOPEN = 0x20000000  # linux/socket.h
_RESET = (errno.ECONNRESET, errno.EPIPE)  # a reset after the handshake; one before it is ECONNREFUSED


class Attempt(NamedTuple):
    """What happened; `ms` runs from the first call until the payload was acknowledged, None when that never came.

    A connection on which the payload got no answer at all does not count as connected, one that was reset does.
    """

    kind: str  # "plain" or "fast_open"
    connected: bool
    ms: float | None
    handshake_ms: float | None
    errno: int | None
    syn_data: bool = False
    client_fail: int = _tcp_info.UNSPECIFIED
    retransmits: int = 0  # at the end of the handshake: the SYN, or refused SYN data

    def to_dict(self) -> dict[str, object]:
        """Return the attempt as plain data, its errno by name."""
        data = self._asdict()
        data["error"] = None if self.errno is None else f"{errno.errorcode.get(self.errno)}: {os.strerror(self.errno)}"
        del data["errno"]
        return data


def plain(address: str, port: int, payload: bytes = PAYLOAD, timeout: float = TIMEOUT_SECONDS) -> Attempt:
    """Connect without TCP Fast Open, send the payload and wait for its acknowledgement."""
    return _attempt("plain", address, port, payload, timeout)


def fast_open(address: str, port: int, payload: bytes = PAYLOAD, timeout: float = TIMEOUT_SECONDS) -> Attempt:
    """Connect with the payload in the SYN where the kernel holds a cookie, asking for a cookie where it does not.

    The errno is EOPNOTSUPP, with nothing sent, where net.ipv4.tcp_fastopen lacks 0x1.
    """
    return _attempt("fast_open", address, port, payload, timeout)


def _attempt(kind: str, address: str, port: int, payload: bytes, timeout: float) -> Attempt:
    """Run one attempt against a numeric address; network errors end up in the attempt's errno."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    start = time.monotonic()
    deadline = start + timeout
    handshake_ms = None
    info = _tcp_info.TcpInfo(False, _tcp_info.UNSPECIFIED, 0)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sent = _start(sock, kind, (address, port), payload)
            _await_handshake(sock, deadline)
            handshake_ms = _ms_since(start)
            info = _tcp_info.read(sock)
            sock.sendall(payload[sent:])
            _await_acknowledgement(sock, start, deadline)
            return Attempt(kind, True, _ms_since(start), handshake_ms, None, *info)
    except OSError as error:
        return Attempt(kind, error.errno in _RESET, None, handshake_ms, error.errno, *info)


def _start(sock: socket.socket, kind: str, target: tuple[str, int], payload: bytes) -> int:
    """Send the SYN and return how many bytes of the payload the kernel took with it."""
    try:
        if kind == "fast_open":
            return sock.sendto(payload, _MSG_FASTOPEN, target)
        sock.connect(target)
    except BlockingIOError:  # EINPROGRESS: under way, and the payload was not taken
        pass
    return 0


def _await_handshake(sock: socket.socket, deadline: float) -> None:
    """Wait until the connection is there; OSError with its reason or ETIMEDOUT otherwise."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    reason = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if reason:
        raise OSError(reason, os.strerror(reason))


def _await_acknowledgement(sock: socket.socket, start: float, deadline: float) -> None:
    """Wait until the peer has acknowledged everything: SIOCOUTQ (tcp(7)) is 0. It has no event, so it is polled."""
    poll = select.poll()
    poll.register(sock, 0)  # reports POLLERR and POLLHUP all the same
    while struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]:
        now = time.monotonic()
        if poll.poll(max(1, (now - start) * 20)):  # looks again after 1 ms, later after 2 % of the time so far
            raise OSError(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNRESET, "reset")
        if now > deadline:
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def _ms_since(start: float) -> float:
    """Return the milliseconds since `start`, to a hundredth."""
    return round((time.monotonic() - start) * 1000, 2)
