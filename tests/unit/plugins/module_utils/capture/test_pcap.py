# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.capture import _pcap, _words
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.capture._pcap import Seen

PORT = 8388
CLIENT, SERVER = ("192.0.2.1", 40_000), ("192.0.2.2", PORT)
CLIENT6, SERVER6 = ("2001:db8::1", 40_000), ("2001:db8::2", PORT)
SYN, SYN_ACK, RST = 0x02, 0x12, 0x14
ASKS, COOKIE = b"\x01\x01\x22\x02", b"\x22\x0a" + b"c" * 8 + b"\x01\x01"
EXPERIMENTAL = b"\xfe\x0c\xf9\x89" + b"c" * 8
LINKS = {1: b"m" * 12, 113: b"l" * 14, 276: b""}


def segment(source: Any, target: Any, flags: int, **more: Any) -> bytes:
    """An IP packet; ``data`` counts bytes, of which ``kept`` are captured."""
    options, data = more.get("options", b""), more.get("data", 0)
    tcp = struct.pack(
        "!HHIIBBHHH",
        source[1],
        target[1],
        more.get("sequence", 1000),
        more.get("acknowledged", 0),
        (20 + len(options)) // 4 << 4,
        flags,
        0,
        0,
        0,
    )
    tcp += options + b"d" * min(data, more.get("kept", data))
    total = 20 + len(options) + data
    if ":" in source[0]:
        ends = [socket.inet_pton(socket.AF_INET6, end[0]) for end in (source, target)]
        return struct.pack("!IHBB", 6 << 28, total, 6, 64) + b"".join(ends) + tcp
    ends = [socket.inet_aton(end[0]) for end in (source, target)]
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + total, 0, 0, 64, 6, 0) + b"".join(ends) + tcp


def capture(*packets: tuple[float, bytes], link: int = 276, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    """A file with these packets at these times, in seconds."""
    content = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 200, link)
    unit = 1_000_000 if magic == 0xA1B2C3D4 else 1_000_000_000
    for time, packet in packets:
        protocol = struct.pack("!H", 0x86DD if packet[0] >> 4 == 6 else 0x0800)
        frame = LINKS[link] + protocol + (b"s" * 18 if link == 276 else b"") + packet
        content += struct.pack(f"{order}IIII", int(time), int(time % 1 * unit), len(frame), len(frame)) + frame
    return content


def seen(*packets: tuple[float, bytes], **how: Any) -> Seen:
    return _pcap.count(_pcap.read(capture(*packets, **how)), {PORT})[PORT]


FAST = (
    (1.0, segment(CLIENT, SERVER, SYN, options=COOKIE, data=300, kept=40)),
    (1.05, segment(SERVER, CLIENT, SYN_ACK, acknowledged=1301)),
)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("order", "magic"), [("<", 0xA1B2C3D4), (">", 0xA1B2C3D4), ("<", 0xA1B23C4D)])
def test_every_form_of_file(link: int, order: str, magic: int) -> None:
    assert seen(*FAST, link=link, order=order, magic=magic) == Seen(syns=1, with_data=1, taken=1)


def test_ipv6() -> None:
    packets = (
        (1.0, segment(CLIENT6, SERVER6, SYN, options=EXPERIMENTAL, data=300)),
        (1.1, segment(SERVER6, CLIENT6, SYN_ACK, acknowledged=1301)),
    )
    assert seen(*packets) == Seen(syns=1, with_data=1, taken=1)


def test_the_sequence_number_wraps() -> None:
    packets = (
        (1.0, segment(CLIENT, SERVER, SYN, sequence=2**32 - 10, options=COOKIE, data=300)),
        (1.1, segment(SERVER, CLIENT, SYN_ACK, acknowledged=291)),
    )
    assert seen(*packets).taken == 1


def test_refused_data() -> None:
    refused = (1.05, segment(SERVER, CLIENT, SYN_ACK, acknowledged=1001))
    assert seen(FAST[0], refused) == Seen(syns=1, with_data=1)


@pytest.mark.parametrize("options", [ASKS, b"\xfe\x04\xf9\x89"])
def test_a_request_for_a_cookie(options: bytes) -> None:
    packets = (
        (1.0, segment(CLIENT, SERVER, SYN, options=options)),
        (1.05, segment(SERVER, CLIENT, SYN_ACK, acknowledged=1001, options=COOKIE)),
    )
    assert seen(*packets) == Seen(syns=1, cookie_requests=1)


def test_sent_again_without_data() -> None:
    again = (2.0, segment(CLIENT, SERVER, SYN))
    answer = (2.05, segment(SERVER, CLIENT, SYN_ACK, acknowledged=1001))
    assert seen(FAST[0], again, answer) == Seen(syns=1, again=1, with_data=1)


def test_a_plain_syn_that_is_sent_again_is_no_second_interface() -> None:
    plain = segment(CLIENT, SERVER, SYN)
    assert seen((1.0, plain), (1.0001, plain), (2.0, plain)) == Seen(syns=1, again=1)


def test_on_two_interfaces() -> None:
    assert seen(*(packet for packet in FAST for _turn in range(2))) == Seen(syns=1, with_data=1, taken=1)


def test_a_reset() -> None:
    assert seen((1.0, segment(CLIENT, SERVER, SYN)), (1.1, segment(SERVER, CLIENT, RST))) == Seen(syns=1, resets=1)


def test_a_reset_later_is_no_answer() -> None:
    assert seen(*FAST, (2.0, segment(SERVER, CLIENT, RST))).resets == 0


def test_other_ports_and_packets() -> None:
    other = segment(CLIENT, ("192.0.2.2", 80), SYN)
    udp = bytearray(segment(CLIENT, SERVER, SYN))
    udp[9] = 17
    assert seen((1.0, other), (1.1, bytes(udp)), (1.2, segment(CLIENT, SERVER, SYN)[:30])) == Seen()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_the_last_packet_may_be_cut(cut: int) -> None:
    assert _pcap.count(_pcap.read(capture(*FAST)[:-cut]), {PORT})[PORT].syns == 1


@pytest.mark.parametrize("content", [b"", b"short", capture(link=276)[:20] + struct.pack("<I", 9), b"x" * 40])
def test_no_capture(content: bytes) -> None:
    with pytest.raises(_pcap.PcapError):
        list(_pcap.read(content))


def test_in_words() -> None:
    told = _words.lines("client", {PORT: Seen(5, 1, 4, 3, 1)}, [{"ok": True}, {"ok": False}])
    assert told == [
        "2 rounds of requests, 1 answered",
        "5 connections to port 8388, 4 with data in the SYN, 3 of them taken, 1 asked for a cookie, 1 SYNs sent again",
    ]
    assert _words.lines("server", {PORT: Seen()}, []) == [
        "0 connections from clients to port 8388, 0 with data in the SYN, 0 of them taken"
    ]
