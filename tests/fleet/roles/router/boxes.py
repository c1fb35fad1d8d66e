# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Middleboxes: what the network does to one client's packets. Kinds add up; `synproxy` is the kernel's (synproxy.py)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import packets

Chance = Callable[[], float]


@dataclass(frozen=True)
class Kind:
    """What a kind of box does, and its argument's name where it takes one; `most` is the argument's upper limit."""

    does: str
    argument: str = ""
    most: float = 0.0


KINDS = {
    "delay": Kind("adds MS to the round-trip time", "MS", 10000),
    "loss": Kind("loses PERCENT of all SYNs at random", "PERCENT", 100),
    "lose-fast": Kind("loses PERCENT of the SYNs with data at random, on top of any loss", "PERCENT", 100),
    "drop-data": Kind("drops SYNs with data"),
    "drop-data-over": Kind("drops SYNs with more than BYTES of data", "BYTES", 65535),
    "drop-option": Kind("drops SYNs with TCP option 34, or 254 with the identifier 0xF989"),
    "strip": Kind("overwrites TCP options 34 and 254 in SYNs and SYN-ACKs by NOPs"),
    "synproxy": Kind("answers SYNs itself in the servers' place: the kernel's SYNPROXY, which never gives a cookie"),
}


@dataclass(frozen=True)
class Box:
    """One box on one client's path."""

    kind: str
    argument: float = 0.0


def treat(packet: bytes, boxes: Iterable[Box], chance: Chance = random.random) -> tuple[bytes | None, float]:
    """What becomes of a packet: itself, changed, or None when it is lost; and the seconds it is held in addition."""
    held = sum(box.argument for box in boxes if box.kind == "delay") / 2000  # half of the round trip each way
    segment = packets.parse(packet)
    if segment is None or not segment.syn:
        return packet, held
    for box in boxes:
        if box.kind == "strip":
            packet = packets.strip(packet, segment)
        elif segment.opening and _lost(packet, segment, box, chance):
            return None, held
    return packet, held


def _lost(packet: bytes, segment: packets.Segment, box: Box, chance: Chance) -> bool:
    """Whether this box loses this SYN."""
    if box.kind == "drop-option":
        return packets.has_fast_open(packet, segment)
    if box.kind == "drop-data":
        return segment.payload > 0
    if box.kind == "drop-data-over":
        return segment.payload > box.argument
    if box.kind == "loss" or (box.kind == "lose-fast" and segment.payload > 0):
        return chance() * 100 < box.argument
    return False
