# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of another process's TCP connections: sock_diag(7), linux/inet_diag.h. Needs no privilege."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _tcp_info

_NETLINK_SOCK_DIAG = 4  # linux/netlink.h
_SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_BYTECODE = 1  # INET_DIAG_REQ_BYTECODE
_INFO = 2  # INET_DIAG_INFO: struct tcp_info
_DESTINATION = 8  # INET_DIAG_BC_D_COND
_ESTABLISHED, _SYN_SENT, _FIN_WAIT1, _FIN_WAIT2, _CLOSE_WAIT, _LAST_ACK, _CLOSING = 1, 2, 4, 5, 8, 9, 11
_STATES = sum(
    1 << state for state in (_ESTABLISHED, _SYN_SENT, _FIN_WAIT1, _FIN_WAIT2, _CLOSE_WAIT, _LAST_ACK, _CLOSING)
)
"""Of a connection that has a struct tcp_info (net/tcp_states.h): TIME_WAIT has none."""

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_ATTRIBUTE = struct.Struct("=HH")  # nlattr
_REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2 that names no socket
_OPERATION = struct.Struct("=BBHBBxxi")  # inet_diag_bc_op, then inet_diag_hostcond without its address
_MESSAGE = struct.Struct("=4x40xQ12xI4x")  # inet_diag_msg: of its inet_diag_sockid the cookie, then idiag_uid
_SECONDS = 1.0
_MAPPED = (socket.AF_INET, socket.AF_INET6)  # a socket of IPv6 may be connected to ::ffff:a.b.c.d


class Connection(t.NamedTuple):
    """``syn_data``: data in its SYN was acknowledged.

    ``lost``: segments sent again so far, each after a time-out or a gap. SYN data that did not arrive follows the
    handshake at once and does not count, but the SYN that was lost with it. ``rtt_ms``: the smoothed round trip, None
    while there is none (SYN_SENT).
    """

    syn_data: bool
    lost: int
    rtt_ms: t.Optional[float]


class Watch:
    """The connections that a user opens to a server's port from now on; empty where the kernel does not tell."""

    def __init__(self, servers: t.Iterable[str], port: int, uid: int) -> None:
        self._servers, self._port, self._uid = list(servers), port, uid
        self._known = set(self._all())

    def only(self) -> t.Optional[Connection]:
        """The new one. None where several are new, for nothing tells whose they are."""
        new = [connection for cookie, connection in self._all().items() if cookie not in self._known]
        return new[0] if len(new) == 1 else None

    def _all(self) -> dict[int, Connection]:
        return {
            cookie: connection
            for server in self._servers
            for cookie, connection in connections(server, self._port, self._uid).items()
        }


def connections(server: str, port: int, uid: int) -> dict[int, Connection]:
    """A user's connections to a server's port, by the cookie that names a socket for its life.

    Of a server given by name any address counts. Empty where the kernel cannot tell (no tcp_diag, seccomp, no netlink).
    """
    found = {}
    families, condition = _condition(server, port)
    for family in families:
        try:
            for message in _dump(family, condition):
                cookie, owner = _MESSAGE.unpack_from(message)
                info = _attribute(message[_MESSAGE.size :], _INFO)
                if owner == uid and info:
                    found[cookie] = _connection(info)
        except OSError:
            continue
    return found


def _connection(info: bytes) -> Connection:
    opened = _tcp_info.parse(info)
    # Both mean that the data of the SYN was sent once more, at the handshake's end (tcp_rcv_fastopen_synack).
    again = opened.client_fail in (_tcp_info.DATA_NOT_ACKED, _tcp_info.SYN_RETRANSMITTED)
    return Connection(opened.syn_data, max(0, opened.retransmits - again), _tcp_info.rtt_ms(info) or None)


def _condition(server: str, port: int) -> tuple[t.Sequence[int], bytes]:
    """The families to ask, and the filter that the kernel runs, so that it does not send every socket of a gateway.

    A jump by the operation's length leads to its end and accepts, one 4 bytes further refuses (inet_diag_bc_run). A
    condition on IPv4 also holds for a mapped address.
    """
    family, address, families = socket.AF_UNSPEC, b"", _MAPPED
    try:
        parsed = ipaddress.ip_address(server)
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        family, address = (socket.AF_INET if parsed.version == 4 else socket.AF_INET6), parsed.packed
        families = _MAPPED if parsed.version == 4 else (socket.AF_INET6,)
    except ValueError:
        pass
    size = _OPERATION.size + len(address)
    return families, _OPERATION.pack(_DESTINATION, size, size + 4, family, 8 * len(address), port) + address


def _dump(family: int, condition: bytes) -> t.Iterator[bytes]:
    """Each inet_diag_msg with its attributes. Raises OSError."""
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), _STATES)
    body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(condition), _BYTECODE) + condition
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(_SECONDS)
        netlink.sendto(header + body, (0, 0))
        while True:
            data = netlink.recv(1 << 16)
            while len(data) >= _HEADER.size:
                length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", data, _HEADER.size)[0]
                    raise OSError(code, os.strerror(code))
                yield data[_HEADER.size : length]
                data = data[(length + 3) & ~3 :]


def _attribute(data: bytes, wanted: int) -> bytes:
    """The payload of one attribute; b'' where it is missing."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if kind == wanted:
            return data[_ATTRIBUTE.size : length]
        data = data[max(_ATTRIBUTE.size, (length + 3) & ~3) :]
    return b""
