# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the router reads out of packets and writes into them, on SYNs captured from a Linux 6.18 client."""

from __future__ import annotations

import packets
import pytest

# 21 bytes of data, `mss, sackOK, timestamps, nop, wscale, tfo cookie, nop, nop`; tcpdump called the checksums correct
IPV4 = bytes.fromhex(
    "4500005d176d40003e060c7c0acb01180acb0205ba461cf5137ce37a00000000d002faf0e3920000020405b40402080a"
    "0941372b000000000103030a220a2b17b475ea8bf82d0101787878787878787878787878787878787878787878"
)
IPV6 = bytes.fromhex(
    "600af8e30049063efd000203000100000000000000000024fd0002030002000000000000000000" + "05bf681cf5de01bd0f"
    "00000000d002fd2061fb0000020405a00402080afba7e5b5000000000103030a220afa8599f5aaf6d2a00101"
    "787878787878787878787878787878787878787878"
)
BOTH = pytest.mark.parametrize("packet", [IPV4, IPV6], ids=["ipv4", "ipv6"])


def segment_of(packet: bytes) -> packets.Segment:
    segment = packets.parse(packet)
    assert segment is not None
    return segment


def with_options(packet: bytes, area: bytes) -> bytes:
    """The packet with the last bytes of its option area replaced, where the cookie and its padding were."""
    end = segment_of(packet).start + segment_of(packet).header
    return packet[: end - len(area)] + area + packet[end:]


@BOTH
def test_syn_with_data(packet: bytes) -> None:
    segment = segment_of(packet)
    assert (segment.header, segment.payload, segment.syn, segment.opening) == (52, 21, True, True)
    assert packet[segment.start : segment.start + 2] in (b"\xba\x46", b"\xbf\x68")  # the source port


@BOTH
def test_checksum_of_a_captured_packet_is_right(packet: bytes) -> None:
    assert packets.checksum(packet, segment_of(packet)) == 0


@BOTH
def test_trailing_bytes_behind_the_packet_are_no_payload(packet: bytes) -> None:
    assert segment_of(packet + b"\0\0\0").payload == 21


@BOTH
def test_options(packet: bytes) -> None:
    kinds = [(kind, length) for kind, _at, length in packets.options(packet, segment_of(packet))]
    assert kinds == [(2, 4), (4, 2), (8, 10), (3, 3), (34, 10)]


@BOTH
@pytest.mark.parametrize(
    ("area", "found"),
    [
        (b"\x22\x02" + b"\x01" * 10, True),  # cookie request
        (b"\xfe\x04\xf9\x89" + b"\x01" * 8, True),  # the experimental form of a request
        (b"\xfe\x0c\xf9\x89" + b"\x22" * 8, True),
        (b"\xfe\x04\xf9\x88" + b"\x01" * 8, False),  # another experiment
        (b"\xfe\x02\xf9\x89" + b"\x01" * 8, False),  # too short for an identifier
        (b"\x01" * 12, False),
        (b"\x00" + b"\x22\x02" + b"\x01" * 9, False),  # behind the end of options
        (b"\x01" * 11 + b"\x22", False),  # no room for a length
        (b"\x22\x0d" + b"\x01" * 10, False),  # longer than the header
        (b"\x05\x00" + b"\x22\x02" + b"\x01" * 8, False),  # a length of nothing ends the walk
        (b"\x05\x01" + b"\x22\x02" + b"\x01" * 8, False),  # so does one that does not cover itself
    ],
)
def test_has_fast_open(packet: bytes, area: bytes, found: bool) -> None:
    packet = with_options(packet, area)
    assert packets.has_fast_open(packet, segment_of(packet)) is found


@BOTH
@pytest.mark.parametrize("area", [b"", b"\xfe\x0c\xf9\x89" + b"\x22" * 8])
def test_strip_leaves_a_plain_syn_with_a_right_checksum(packet: bytes, area: bytes) -> None:
    packet = with_options(packet, area)
    segment = segment_of(packet)
    stripped = packets.strip(packet, segment)
    assert segment_of(stripped) == segment
    assert [kind for kind, _at, _length in packets.options(stripped, segment)] == [2, 4, 8, 3]
    assert packets.checksum(stripped, segment) == 0
    assert stripped.endswith(b"\x01" * 12 + b"x" * 21)
    assert stripped[: segment.start + 16] == packet[: segment.start + 16]


@BOTH
def test_strip_touches_nothing_else(packet: bytes) -> None:
    broken = with_options(packet, b"\x01" * 12)  # nothing to strip, and a wrong checksum, which is not ours to mend
    assert packets.strip(broken, segment_of(broken)) is broken


@pytest.mark.parametrize(
    "packet",
    [
        IPV4[:9] + b"\x11" + IPV4[10:],  # UDP
        IPV4[:6] + b"\x20\x00" + IPV4[8:],  # first fragment
        IPV4[:6] + b"\x00\x10" + IPV4[8:],  # later fragment
        IPV4[:-1],  # cut short
        IPV4[:32] + b"\x40" + IPV4[33:],  # a TCP header of 16 bytes
        IPV4[:3] + b"\x28" + IPV4[4:],  # a TCP header longer than the packet
        IPV4[:20],
        IPV6[:6] + b"\x00" + IPV6[7:],  # hop-by-hop options
        IPV6[:39],
        b"\x10" + IPV4[1:],
    ],
)
def test_not_a_segment(packet: bytes) -> None:
    assert packets.parse(packet) is None


def test_answer_is_not_opening() -> None:
    answer = IPV4[:33] + b"\x12" + IPV4[34:]
    assert (segment_of(answer).syn, segment_of(answer).opening) == (True, False)


def test_ends() -> None:
    assert packets.ends(IPV4) == (bytes([10, 203, 1, 24]), bytes([10, 203, 2, 5]))
    assert [end.hex() for end in packets.ends(IPV6)] == [
        "fd000203000100000000000000000024",
        "fd000203000200000000000000000005",
    ]
