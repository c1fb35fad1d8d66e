# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP segments in whole IP packets, as bytes: what a middlebox looks at, and what it rewrites."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

TCP = 6  # protocol number, RFC 9293
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10  # RFC 9293 section 3.1
END, NOP = 0, 1  # RFC 9293 section 3.2
FAST_OPEN = 34  # RFC 7413 section 4.1.1
EXPERIMENT, FAST_OPEN_EXID = 254, 0xF989  # RFC 6994; RFC 7413 appendix A
MORE_FRAGMENTS_OR_OFFSET = 0x3FFF  # RFC 791
CHECKSUM_AT = 16  # in the TCP header


@dataclass(frozen=True)
class Segment:
    """A TCP segment's place in its packet: `start` of the TCP header, `payload` in bytes, flag bits, IP addresses."""

    start: int
    header: int
    payload: int
    flags: int
    addresses: bytes

    @property
    def syn(self) -> bool:
        """SYN or SYN-ACK."""
        return bool(self.flags & SYN)

    @property
    def opening(self) -> bool:
        """A SYN that opens a connection, not the answer to one."""
        return self.flags & (SYN | ACK) == SYN


def ends(packet: bytes) -> tuple[bytes, bytes]:
    """Source and destination address of an IPv4 or IPv6 packet, as 4 or 16 bytes each."""
    if packet[0] >> 4 == 4:
        return packet[12:16], packet[16:20]
    return packet[8:24], packet[24:40]


def parse(packet: bytes) -> Segment | None:
    """The TCP segment of a packet; None for other protocols, fragments, IPv6 extension headers and broken lengths."""
    version = packet[0] >> 4
    if version == 4 and len(packet) >= 20:
        total, fragment = struct.unpack("!2xH2xH", packet[:8])
        start, protocol = (packet[0] & 0x0F) * 4, packet[9]
        if fragment & MORE_FRAGMENTS_OR_OFFSET:
            return None
    elif version == 6 and len(packet) >= 40:
        start, protocol = 40, packet[6]
        total = start + struct.unpack("!4xH", packet[:6])[0]
    else:
        return None
    if protocol != TCP or total > len(packet) or total < start + 20:
        return None
    header = (packet[start + 12] >> 4) * 4
    if header < 20 or start + header > total:
        return None
    return Segment(start, header, total - start - header, packet[start + 13], b"".join(ends(packet)))


def options(packet: bytes, segment: Segment) -> Iterator[tuple[int, int, int]]:
    """Kind, offset in the packet and length of each TCP option but END and NOP; stops at the first malformed one."""
    at, end = segment.start + 20, segment.start + segment.header
    while at < end and packet[at] != END:
        if packet[at] == NOP:
            at += 1
            continue
        length = packet[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            return
        yield packet[at], at, length
        at += length


def has_fast_open(packet: bytes, segment: Segment) -> bool:
    """Whether the segment carries TCP Fast Open's option, under its own kind or the experimental one."""
    for kind, at, length in options(packet, segment):
        if kind == FAST_OPEN:
            return True
        if kind == EXPERIMENT and length >= 4 and int.from_bytes(packet[at + 2 : at + 4], "big") == FAST_OPEN_EXID:
            return True
    return False


def strip(packet: bytes, segment: Segment) -> bytes:
    """The packet with options 34 and 254 overwritten by NOPs and the checksum made right again."""
    stripped = bytearray(packet)
    for kind, at, length in options(packet, segment):
        if kind in (FAST_OPEN, EXPERIMENT):
            stripped[at : at + length] = bytes([NOP]) * length
    if stripped == packet:
        return packet
    place = segment.start + CHECKSUM_AT
    stripped[place : place + 2] = b"\0\0"
    stripped[place : place + 2] = checksum(bytes(stripped), segment).to_bytes(2, "big")
    return bytes(stripped)


def checksum(packet: bytes, segment: Segment) -> int:
    """The checksum over pseudo header and segment (RFC 1071, RFC 9293 section 3.1, RFC 8200 section 8.1).

    With the checksum field zero it is the value to put there; over a segment with a right checksum it is 0.
    """
    length = segment.header + segment.payload
    data = segment.addresses + struct.pack("!II", length, TCP) + packet[segment.start : segment.start + length]
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
