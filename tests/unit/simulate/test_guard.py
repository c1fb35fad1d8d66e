# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard's simulation in short: what it draws, and that the guard's own code keeps its goals in it."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from pathlib import Path
from random import Random

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine

FOLDER = Path(__file__).parents[2] / "simulate"


@pytest.fixture(name="guarded", scope="module")
def fixture_guarded():
    """The program's model."""
    spec = importlib.util.spec_from_file_location("_guarded", FOLDER / "_guarded.py")
    assert spec and spec.loader
    module = sys.modules["_guarded"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["_guarded"]


@pytest.mark.parametrize(("loss", "burst"), [(0.02, 1), (0.05, 8), (0.2, 1)])
def test_losses_are_as_asked_for(guarded, loss, burst):
    """In share and in bursts."""
    network = guarded.Network(guarded.Life(loss=loss, burst=burst), Random("losses"), 1.0)
    drawn = [network.lost(1, 0.0) for _number in range(100_000)]
    assert statistics.mean(drawn) == pytest.approx(loss, rel=0.15)
    again = statistics.mean(after for before, after in zip(drawn, drawn[1:]) if before)
    assert again == pytest.approx((burst - 1) / burst + loss / burst, abs=0.03)


def test_harmless_days(guarded):
    """Nothing is undone at a natural loss, nor by outages; and few attempts are made."""
    life = guarded.Life(loss=0.02, burst=8, outages=6, outage=300)
    lives = [guarded.live(life, Random(f"harmless {number}"), 1.0) for number in range(4)]
    assert [len(one.undone) for one in lives] == [0] * 4
    assert sum(one.pairs for one in lives) < 4 * 1_000
    assert sum(one.looks for one in lives) > 0


def test_all_data_lost(guarded):
    """Plain in about a minute."""
    times = []
    for number in range(9):
        random = Random(f"lost {number}")
        begins = 600 + random.uniform(0, 60)
        lived = guarded.live(guarded.Life(extra=1.0, begins=begins), random, 0.1, lambda one: bool(one.undone))
        times.append(lived.undone[0] - begins)
    assert statistics.median(times) <= 60


def test_never_flaps(guarded):
    """However the path swings."""
    for swings in (60.0, 3600.0):
        lived = guarded.live(guarded.Life(extra=1.0, swings=swings, returns=True), Random("flaps"), 1.0)
        assert 1 <= len(lived.undone) <= 5
        assert len(lived.returned) <= len(lived.undone)


def test_what_would_be_wrong(guarded, monkeypatch):
    """A guard that acts on counters alone undoes healthy hosts, and here that shows."""
    monkeypatch.setattr(_machine._evidence, "loses_data", bool)
    lives = [guarded.live(guarded.Life(loss=0.02), Random(f"wrong {number}"), 1.0) for number in range(3)]
    assert sum(len(one.undone) for one in lives) > 0
