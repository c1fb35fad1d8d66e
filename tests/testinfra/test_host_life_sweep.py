# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call on a host is killed before every edge that it has, and the host can always go on; see _life_sweep.py.

FASTOPEN_PART=2/3 tries only every third edge, from the second on.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from _life import FOLDER, HOSTS, Life, life, run

SERVER = ("step", "renew", "confirm", "revert", "rollback", "kill", "kill stepped", "lift", "expire")
CLIENT = ("claim", "take over", "step", "confirm", "present", "revert", "rollback", "expire", "release")
"""What does not differ by side is tried on one."""
PART, PARTS = map(int, os.environ.get("FASTOPEN_PART", "1/1").split("/"))


def sweep(host: Life, side: str, cells: tuple[str, ...], turn: int) -> tuple[int, list[str]]:
    """How many calls were killed, and what was wrong after them."""
    turns = len(HOSTS) * PARTS
    given = {"request": host.request(side), "cells": cells, "turn": len(HOSTS) * (PART - 1) + turn, "turns": turns}
    found = json.loads(run(host.name, f"python3 {FOLDER}/_life_sweep.py", json.dumps(given).encode()))
    return found["calls"], [f"{host.name}: {failure}" for failure in found["failures"]]


def test_servers() -> None:
    with ExitStack() as stack:
        hosts = [stack.enter_context(life(name)) for name in HOSTS]
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda turn: sweep(hosts[turn], "server", SERVER, turn), (0, 1)))
    assert not [failure for _calls, failures in found for failure in failures]
    assert sum(calls for calls, _failures in found) > 80 // PARTS


def test_clients_beside_a_confirmed_server() -> None:
    """Both sides are on one host: what happens to the client leaves the server's bits and line alone."""
    with ExitStack() as stack:
        hosts = [stack.enter_context(life(name)) for name in HOSTS]
        for host in hosts:
            host.get("server", "present", run="role-server")
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda turn: sweep(hosts[turn], "client", CLIENT, turn), (0, 1)))
        for host in hosts:
            host.is_("confirmed", "server")
    assert not [failure for _calls, failures in found for failure in failures]
    assert sum(calls for calls, _failures in found) > 80 // PARTS
