# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first byte of each kind of client with each kind of server, plain and with TFO, beside the round-trip time.

On the demo fleet, whose router holds every packet for half of ROUND_TRIP_MS.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "testinfra"), str(TESTS / "fleet")]

import _hosts  # noqa: E402  (the tests' helpers are no package)
import first_byte  # noqa: E402  (nor are the fleet's modules)
import rust  # noqa: E402  (likewise)
from _machine import FleetError  # noqa: E402  (likewise)

IMPLEMENTATION = "mixed"
ROUND_TRIP_MS = 50


def run() -> Iterator[str]:
    """Measure on a fleet of its own, which is taken down after, and give the lines of the table."""
    try:
        rust.build()
    except FleetError as error:
        yield f"nothing runs shadowsocks-rust here, so no pairings: {error}"
        return
    os.environ["IMPLEMENTATION"] = IMPLEMENTATION  # for the fleet, which has the archive then, and for its inventory
    try:
        subprocess.run([str(_hosts.FLEET), "up", "--fresh", *_hosts.MEMBERS, f"--rtt={ROUND_TRIP_MS}"], check=True)
        _play("deploy")
        before = first_byte.measure()
        _play("rollout", rollout_probe_requests=0)
        yield from first_byte.table(IMPLEMENTATION, before, first_byte.measure())
    finally:
        subprocess.run([str(_hosts.FLEET), "down"], check=True)


def _play(playbook: str, **extra: object) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        done = _hosts.play(f"fastopen.shadowsocks.{playbook}", **extra)
    if done.status != 0:
        sys.exit(f"bench: {playbook} ended with {done.status}:\n{done.output}")
