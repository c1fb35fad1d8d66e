# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of box does to a packet, when it starts, and how the router learns of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import packets
import pytest
import state
import synproxy
from boxes import KINDS, Box, treat

SYN, SYN_ACK, PLAIN_ACK = 0x02, 0x12, 0x10
COOKIE = b"\x22\x0a" + b"c" * 8 + b"\x01\x01"


def packet(flags: int = SYN, payload: int = 0, options: bytes = b"") -> bytes:
    """An IPv4 packet with a TCP segment."""
    tcp = bytes(12) + bytes([(20 + len(options)) << 2, flags]) + bytes(6) + options + b"x" * payload
    return b"\x45\0" + (20 + len(tcp)).to_bytes(2, "big") + bytes(5) + b"\x06" + bytes(10) + tcp


def lost(box: Box, given: bytes) -> bool:
    return treat(given, [box], lambda: 0.5)[0] is None


@pytest.mark.parametrize(
    ("box", "given", "expected"),
    [
        (Box("drop-data"), packet(payload=1), True),
        (Box("drop-data"), packet(options=COOKIE), False),
        (Box("drop-data"), packet(SYN_ACK, payload=1), False),
        (Box("drop-data"), packet(PLAIN_ACK, payload=1), False),
        (Box("drop-data-over", 100), packet(payload=100), False),
        (Box("drop-data-over", 100), packet(payload=101), True),
        (Box("drop-option"), packet(options=COOKIE), True),
        (Box("drop-option"), packet(SYN_ACK, options=COOKIE), False),
        (Box("drop-option"), packet(payload=1), False),
        (Box("loss", 51), packet(), True),
        (Box("loss", 50), packet(), False),
        (Box("loss", 51), packet(PLAIN_ACK, payload=9), False),
        (Box("lose-fast", 51), packet(payload=1), True),
        (Box("lose-fast", 50), packet(payload=1), False),
        (Box("lose-fast", 100), packet(options=COOKIE), False),
        (Box("synproxy"), packet(payload=1), False),
        (Box("drop-data"), b"\x45" + bytes(30), False),
    ],
)
def test_what_is_lost(box: Box, given: bytes, expected: bool) -> None:
    assert lost(box, given) is expected


def test_every_kind_is_known_to_treat() -> None:
    """Some packet shows an effect of each kind; SYNPROXY is the kernel's."""
    given = packet(payload=200, options=COOKIE)
    for name, kind in KINDS.items():
        untouched = treat(given, [Box(name, kind.most or 0)], lambda: 0.0) == (given, 0.0)
        assert untouched is (name in ("synproxy", "drop-data-over"))
    assert lost(Box("drop-data-over", 199), given)


def test_share_of_losses() -> None:
    chance = random.Random(7).random
    count = sum(treat(packet(), [Box("loss", 20)], chance)[0] is None for _turn in range(10000))
    assert 1900 < count < 2100


@pytest.mark.parametrize("flags", [SYN, SYN_ACK])
def test_strip(flags: int) -> None:
    stripped, held = treat(packet(flags, options=COOKIE), [Box("strip")])
    segment = packets.parse(stripped)
    assert list(packets.options(stripped, segment)) == []
    assert (packets.checksum(stripped, segment), held) == (0, 0)


def test_delay_is_half_each_way_and_adds_up_with_others() -> None:
    boxes = [Box("delay", 100), Box("drop-data")]
    assert treat(packet(PLAIN_ACK), boxes) == (packet(PLAIN_ACK), 0.05)
    assert treat(packet(payload=1), boxes)[0] is None


def entry(kind: str, start: float = 0, argument: float = 0) -> dict:
    return {
        "client": "c1",
        "kind": kind,
        "argument": argument,
        "start": start,
        "addresses": ["10.203.1.21", "fd00::21"],
    }


def test_plan_holds_what_has_started() -> None:
    told = {"rtt_ms": 80, "boxes": [entry("strip"), entry("loss", 1000, 5), entry("delay", 1001, 9)]}
    plan = state.plan(told, 1000)
    assert plan.one_way == 0.04
    assert plan.boxes[bytes([10, 203, 1, 21])] == (Box("strip"), Box("loss", 5))
    assert plan.addresses("loss") == {"10.203.1.21", "fd00::21"}
    assert plan.addresses("delay") == frozenset()


def test_reader_follows_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(state, "time", SimpleNamespace(monotonic=lambda: now[0], time=lambda: 0.0))
    file = tmp_path / "state.json"
    reader = state.Reader(file)
    assert reader.read() == state.Plan(0.025)
    new = tmp_path / "new"
    new.write_text(json.dumps({"rtt_ms": 10}), encoding="utf-8")
    new.rename(file)
    assert reader.read().one_way == 0.025, "it does not look at the file for every packet"
    now[0] += 2 * state.LOOK_SECONDS
    assert reader.read().one_way == 0.005
    new.write_text(json.dumps({"boxes": [entry("strip")]}), encoding="utf-8")
    new.rename(file)
    now[0] += 2 * state.LOOK_SECONDS
    assert reader.read() == state.Plan(0.025, reader.read().boxes)
    assert reader.read().addresses("strip")


def test_synproxy_rules() -> None:
    rules = synproxy.ruleset(["10.203.1.24"])
    assert "-A FORWARD -o servers -s 10.203.1.24 -p tcp -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY" in rules
    assert rules.count("COMMIT\n") == 3
    assert "-A" not in synproxy.ruleset([])
