# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture of SYNs shows: how many carried data, which asked for a cookie, and whose data was acknowledged."""

from __future__ import annotations

import dataclasses
import socket
import struct
import typing as t

# Link types of libpcap (pcap-linktype(7)): where the protocol number of layer 3 stands, and where its header begins.
_LINKS = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
"""Ethernet, and tcpdump's two formats for all interfaces (LINUX_SLL, LINUX_SLL2)."""
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _SYN, _RST, _ACK = 6, 0x02, 0x04, 0x10
_FAST_OPEN, _EXPERIMENT, _EXPERIMENT_ID = 34, 254, b"\xf9\x89"  # RFC 7413 sections 4.1.1 and 7
_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D  # how a file begins, by what its times count
_TWICE_SECONDS = 0.1
"""A packet that is seen again so soon was captured on a second interface; a SYN is sent again after a second."""
SNAP_LENGTH = 200
"""Bytes of a packet that are kept: all headers, and of the data a few."""


class PcapError(ValueError):
    """The file is no capture that can be read; the message says why."""


class Packet(t.NamedTuple):
    """The TCP segment of a captured packet, ``time`` in seconds. ``data`` counts its bytes, captured or not; ``cookie`` is the length of the
    TCP Fast Open option, -1 without one, 0 for a request."""

    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    flags: int
    sequence: int
    acknowledged: int
    data: int
    cookie: int

    @property
    def opens(self) -> bool:
        """Whether it is a SYN of a client."""
        return self.flags & (_SYN | _ACK) == _SYN

    @property
    def answers(self) -> bool:
        """Whether it is the answer of a server to a SYN."""
        return self.flags & (_SYN | _ACK) == _SYN | _ACK


@dataclasses.dataclass
class Seen:
    """Connections to one port: ``syns``, those sent ``again``, ``with_data``, ``taken`` (of those, whose data was acknowledged
    with the answer), ``cookie_requests``, and ``resets`` in place of an answer."""

    syns: int = 0
    again: int = 0
    with_data: int = 0
    taken: int = 0
    cookie_requests: int = 0
    resets: int = 0


def count(packets: t.Iterable[Packet], ports: t.Collection[int]) -> dict[int, Seen]:
    """By port what was seen of connections to it."""
    seen = {port: Seen() for port in sorted(ports)}
    opened: dict[tuple[tuple[str, int], tuple[str, int]], Packet] = {}
    last: dict[Packet, float] = {}
    for packet in packets:
        same = packet._replace(time=0.0)
        if packet.time - last.get(same, float("-inf")) < _TWICE_SECONDS:
            continue
        last[same] = packet.time
        if packet.opens and packet.target[1] in seen:
            _open(packet, opened, seen[packet.target[1]])
        elif packet.source[1] in seen and packet.flags & (_SYN | _RST):
            _answer(packet, opened.pop((packet.target, packet.source), None), seen[packet.source[1]])
    return seen


def _open(syn: Packet, opened: dict[t.Any, Packet], seen: Seen) -> None:
    before = opened.get((syn.source, syn.target))
    if before and before.sequence == syn.sequence:
        seen.again += 1  # what is sent again carries no data any more
        return
    opened[syn.source, syn.target] = syn
    seen.syns += 1
    seen.with_data += syn.data > 0
    seen.cookie_requests += syn.cookie == 0


def _answer(answer: Packet, syn: t.Optional[Packet], seen: Seen) -> None:
    """Data of a SYN is acknowledged with its answer or not at all (RFC 7413 section 4.2.2)."""
    if syn is None:
        return
    if answer.flags & _RST:
        seen.resets += 1
    elif syn.data:
        seen.taken += (answer.acknowledged - syn.sequence - 1) % 2**32 == syn.data


def read(content: bytes) -> t.Iterator[Packet]:
    """The TCP segments of a capture in tcpdump's own format, as far as it goes: the last packet may be cut.

    Raises PcapError.
    """
    if len(content) < 24:
        raise PcapError("the capture is empty: tcpdump has not begun")
    order = "<" if content[:4] in (struct.pack("<I", one) for one in (_MICROSECONDS, _NANOSECONDS)) else ">"
    magic, *_versions, link = struct.unpack(f"{order}IHHiIII", content[:24])
    if magic not in (_MICROSECONDS, _NANOSECONDS) or link not in _LINKS:
        raise PcapError(f"no capture that can be read: magic {magic:#x}, link type {link}")
    fraction = 1e-6 if magic == _MICROSECONDS else 1e-9
    kind, begin = _LINKS[link]
    at = 24
    while at + 16 <= len(content):
        seconds, parts, kept, _length = struct.unpack(f"{order}IIII", content[at : at + 16])
        frame, at = content[at + 16 : at + 16 + kept], at + 16 + kept
        if len(frame) < max(begin, kind + 2):
            continue
        packet = _packet(seconds + parts * fraction, int.from_bytes(frame[kind : kind + 2], "big"), frame[begin:])
        if packet is not None:
            yield packet


def _packet(time: float, protocol: int, content: bytes) -> t.Optional[Packet]:
    """None for what is no TCP segment, or has headers that were not captured. IPv6 without extension headers."""
    if protocol == _IPV4 and len(content) >= 20 and content[9] == _TCP:
        header, total = 4 * (content[0] & 0x0F), int.from_bytes(content[2:4], "big")
        addresses = (socket.AF_INET, content[12:16], content[16:20])
    elif protocol == _IPV6 and len(content) >= 40 and content[6] == _TCP:
        header, total = 40, 40 + int.from_bytes(content[4:6], "big")
        addresses = (socket.AF_INET6, content[8:24], content[24:40])
    else:
        return None
    segment = content[header:]
    if len(segment) < 20:
        return None
    source, target, sequence, acknowledged, offset, flags = struct.unpack("!HHIIBB", segment[:14])
    family, *ends = addresses
    names = [socket.inet_ntop(family, end) for end in ends]
    length = 4 * (offset >> 4)
    return Packet(
        time,
        (names[0], source),
        (names[1], target),
        flags,
        sequence,
        acknowledged,
        total - header - length,
        _cookie(segment[20:length]),
    )


def _cookie(options: bytes) -> int:
    """The length of the cookie in TCP options, -1 where none is asked for or shown."""
    at = 0
    while at + 1 < len(options) and options[at]:  # 0 ends them
        if options[at] == 1:  # padding
            at += 1
            continue
        length = options[at + 1]
        if options[at] == _FAST_OPEN:
            return length - 2
        if options[at] == _EXPERIMENT and options[at + 2 : at + 4] == _EXPERIMENT_ID:
            return length - 4
        at += max(length, 2)
    return -1
