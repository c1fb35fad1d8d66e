# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of struct tcp_info (linux/tcp.h) that tell how a connection was opened."""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

# enum tcp_fastopen_client_fail, linux/tcp.h; reported since Linux 5.5, always 0 before
UNSPECIFIED = 0
COOKIE_UNAVAILABLE = 1
DATA_NOT_ACKED = 2
SYN_RETRANSMITTED = 3

_OPTIONS = 5  # offset of tcpi_options
_BITS = 7  # offset of the byte with tcpi_fastopen_client_fail
_RTT = 68  # offset of tcpi_rtt, microseconds
_TOTAL_RETRANS = 100  # offset of tcpi_total_retrans
_SIZE = 104
_OPTION_SYN_DATA = 32  # TCPI_OPT_SYN_DATA: data in the SYN was acknowledged


class TcpInfo(NamedTuple):
    """How a connection was opened: SYN data acknowledged, the reason if not, and segments sent again so far."""

    syn_data: bool
    client_fail: int
    retransmits: int


def parse(raw: bytes) -> TcpInfo:
    """Return the fields of a struct tcp_info of at least 104 bytes (Linux 2.6.11 or later)."""
    if len(raw) < _SIZE:
        raise ValueError(f"struct tcp_info of {len(raw)} bytes, {_SIZE} expected")
    bits = raw[_BITS]  # a C bit field: low bits first on little endian, high bits first on big endian
    client_fail = (bits >> 1) & 3 if sys.byteorder == "little" else (bits >> 5) & 3
    (retransmits,) = struct.unpack_from("=I", raw, _TOTAL_RETRANS)
    return TcpInfo(bool(raw[_OPTIONS] & _OPTION_SYN_DATA), client_fail, retransmits)


def rtt_ms(raw: bytes) -> float:
    """Return the smoothed round-trip time in milliseconds, 0 before the handshake has ended."""
    (microseconds,) = struct.unpack_from("=I", raw, _RTT)
    return microseconds / 1000


def read(sock: socket.socket) -> TcpInfo:
    """Return the state of a connected socket."""
    return parse(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))
