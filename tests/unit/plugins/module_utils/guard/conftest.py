# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployed host of the stage's tests: what the guard takes off, a stage has put there."""

from __future__ import annotations

import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _attempts, _run
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils.stage.conftest import (
    both,
    client,
    server,
)

__all__ = ["both", "client", "look", "server"]


@pytest.fixture(name="path")
def fixture_path(monkeypatch):
    """How the path fares: whether SYNs with data, and plain ones, get lost; ``made`` are the pairs so far."""
    state = {"fast": False, "plain": False, "paused": False, "made": 0}

    def pairs(_target, count, _client=None):
        state["made"] += count
        return "198.51.100.2", [Pair(time.time(), state["plain"], state["fast"], state["paused"])] * count

    monkeypatch.setattr(_attempts, "pairs", pairs)
    return state


@pytest.fixture(name="said")
def fixture_said():
    """What the guard says."""
    return []


def look(said, **change):
    """One look."""
    return _run.run(_run.Asked(**{"because": "suspicion", **change}), said.append)
