# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the router is told to do: a JSON file, read again whenever it was replaced.

`{"rtt_ms": 50, "boxes": [{"client": "c1", "kind": "loss", "argument": 20, "start": 0, "addresses": ["10.203.1.21"]}]}`;
`start` is in seconds since 1970, and a box whose time has not come does nothing.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from boxes import Box

FILE = Path("/var/lib/fleet/state.json")
DEFAULT = {"rtt_ms": 50.0, "boxes": []}
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Plan:
    """The state at one moment: seconds each way, and the active boxes by the client's packed address."""

    one_way: float
    boxes: dict[bytes, tuple[Box, ...]] = field(default_factory=dict)

    def addresses(self, kind: str) -> frozenset[str]:
        """The clients' addresses that have a box of this kind, as text."""
        chosen = [address for address, boxes in self.boxes.items() if any(box.kind == kind for box in boxes)]
        families = {4: socket.AF_INET, 16: socket.AF_INET6}
        return frozenset(socket.inet_ntop(families[len(address)], address) for address in chosen)


def plan(state: dict, now: float) -> Plan:
    """The plan at `now` (seconds since 1970)."""
    active: dict[bytes, tuple[Box, ...]] = {}
    for entry in state["boxes"]:
        if entry["start"] <= now:
            for text in entry["addresses"]:
                address = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
                active[address] = (*active.get(address, ()), Box(entry["kind"], entry["argument"]))
    return Plan(state["rtt_ms"] / 2000, active)


class Reader:
    """Keeps the plan; looks at the file and the clock at most every LOOK_SECONDS."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._looked = float("-inf")
        self._state = DEFAULT
        self._plan = plan(DEFAULT, 0)

    def read(self) -> Plan:
        """The plan as it is now."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            if self._file.exists():
                status = self._file.stat()
                if self._stamp != (stamp := (status.st_mtime_ns, status.st_ino)):
                    self._stamp, self._state = stamp, DEFAULT | json.loads(self._file.read_text(encoding="utf-8"))
            self._plan = plan(self._state, time.time())
        return self._plan
