# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulation itself: what it draws, how it counts, and that a missed goal is told."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Iterator

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Client

FOLDER = Path(__file__).parents[2] / "simulate"
NAMES = ("_model", "_rivals", "_cells", "__main__")


@pytest.fixture(scope="module")
def simulate() -> Iterator[dict[str, ModuleType]]:
    """The program's modules by name, loaded by path and forgotten again."""
    modules: dict[str, ModuleType] = {}
    for name in NAMES:
        loaded = "simulate_main" if name == "__main__" else name
        spec = importlib.util.spec_from_file_location(loaded, FOLDER / f"{name}.py")
        assert spec and spec.loader
        modules[name] = sys.modules[loaded] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    yield modules
    for module in modules.values():
        del sys.modules[module.__name__]


def measured(simulate: dict[str, ModuleType], extra: float, loss: float = 0.0, requests: int = 100) -> Client:
    client = Client()
    simulate["_model"].measure(client, simulate["_model"].Path(100.0, loss, extra), requests, Random(1))
    return client


def test_fast_open_saves_a_round_trip(simulate: dict[str, ModuleType]) -> None:
    client = measured(simulate, 0.0)
    means = [sum(arm.ttfb_ms) / arm.ok for arm in (client.plain, client.fast_open)]
    assert means == [pytest.approx(208, abs=8), pytest.approx(106, abs=8)]
    assert client.fast_open.counters["TCPFastOpenActive"] == 100 and not client.plain.counters["TCPSynRetrans"]


def test_a_lost_syn_costs_a_second(simulate: dict[str, ModuleType]) -> None:
    client = measured(simulate, 1.0)
    assert min(client.fast_open.ttfb_ms) > 1000 + min(client.plain.ttfb_ms) - 60
    assert client.fast_open.counters == {"TCPFastOpenActive": 0, "TCPFastOpenActiveFail": 100, "TCPSynRetrans": 100}


def test_natural_loss_hits_both_arms_and_may_fail_a_request(simulate: dict[str, ModuleType]) -> None:
    client = measured(simulate, 0.0, 0.5, 1000)
    for arm in (client.plain, client.fast_open):
        assert arm.late(arm.baseline()) + arm.failed == pytest.approx(500, abs=60)
        assert arm.failed == pytest.approx(62, abs=30)
    assert measured(simulate, 0.0, 1.0, 3).plain.failed == 3


@pytest.mark.parametrize(
    ("extra", "loss", "passes"), [(0.0, 0.0, (True, True)), (0.2, 0.0, (True, False)), (1.0, 0.0, (False, False))]
)
def test_rivals(simulate: dict[str, ModuleType], extra: float, loss: float, passes: tuple[bool, bool]) -> None:
    client, rivals = measured(simulate, extra, loss), simulate["_rivals"]
    assert (rivals.mann_whitney(client), rivals.thresholds(client)) == passes
    assert (rivals.mann_whitney(Client()), rivals.thresholds(Client())) == (False, False)


def test_cells_count_what_happened(simulate: dict[str, ModuleType]) -> None:
    cells = simulate["_cells"]
    fine = cells.waves([0.0] * 3, 0.0, 4, 2, "seed")
    assert (fine.percent("promote"), fine.percent("any"), fine.mean_requests()) == (100, 0, 15)
    assert fine.rival_percent("mann_whitney") == 100
    spoiled = cells.waves([1.0] + [0.0] * 10, 0.0, 3, 1, "seed")
    assert (spoiled.percent("promote"), spoiled.percent("any"), spoiled.percent("named")) == (100, 100, 100)
    dying = cells.clients(1.0, 0.0, 20, 10, 1, "seed")
    assert (dying.percent("revert"), dying.mean_requests(), dying.rival_percent("thresholds")) == (100, 5, 0)
    assert cells.clients(0.2, 0.02, 5, 5, 1, "seed") == cells.clients(0.2, 0.02, 5, 5, 1, "seed")


def test_a_missed_goal_is_told(simulate: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    main, cells = simulate["__main__"], simulate["_cells"]
    cell = cells.Outcomes(1000, requests=7000, clients=1000, rival_units=1)
    cell.counts.update(promote=12, revert=980)
    assert main.Goal("promote", at_most=1.2).missed(cell, 0) is None
    assert main.Goal("promote", at_most=1.1).missed(cell, 0) == "promote 1.20 > 1.1"
    assert main.Goal("promote", at_most=1.0).missed(cell, 3) is None
    assert main.Goal("revert", at_least=99).missed(cell, 0) == "revert 98.00 < 99"
    assert main.Goal("requests", at_most=6).missed(cell, 3) == "requests 7.00 > 6"
    table = main.Table(0)
    table.row(0.02, 5, cell, "revert", main.ALL_GOALS)
    assert table.missed == 3 and "MISSED promote 1.20 > 0.1, revert 98.00 < 99" in capsys.readouterr().out
