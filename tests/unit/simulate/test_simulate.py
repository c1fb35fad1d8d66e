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
from typing import Any, Iterator

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Client

FOLDER = Path(__file__).parents[2] / "simulate"
NAMES = ("_situation", "_model", "_second_model", "_rivals", "_wave", "_cells", "_runs", "_picture", "__main__")
MODELS = (("_model", "OwnModel"), ("_second_model", "SecondModel"))


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


def model(simulate: dict[str, ModuleType], module: str = "_model", name: str = "OwnModel") -> Any:
    return getattr(simulate[module], name)()


def measured(simulate: dict[str, ModuleType], requests: int = 100, after: bool = False, **situation: float) -> Any:
    """Both arms of a way with a round trip of 100 ms."""
    way = model(simulate).draw(simulate["_situation"].Situation(**situation), Random(1))
    way.rtt_ms = 100.0
    return way.measure(requests, after, Random(1))


def mean(times: list[float]) -> float:
    return sum(times) / len(times)


def test_fast_open_saves_a_round_trip(simulate: dict[str, ModuleType]) -> None:
    arms = measured(simulate)
    means = [mean(arms[kind]["ttfb_ms"]) for kind in ("plain", "fast_open")]
    assert means == [pytest.approx(208, abs=8), pytest.approx(106, abs=8)]
    assert arms["fast_open"]["counters"]["TCPFastOpenActive"] == 100
    assert all(one["syn_data"] and not one["lost"] for one in arms["fast_open"]["connections"])
    assert not any(one["syn_data"] for one in arms["plain"]["connections"])


@pytest.mark.parametrize(("slower", "mean_ms"), [(25.0, 231), (100.0, 306)])
def test_slower_ones_give_the_round_trip_back(simulate: dict[str, ModuleType], slower: float, mean_ms: float) -> None:
    arms = measured(simulate, slower_ms=slower)
    assert mean(arms["fast_open"]["ttfb_ms"]) == pytest.approx(mean_ms, abs=10)
    assert mean([one["rtt_ms"] for one in arms["fast_open"]["connections"]]) == pytest.approx(mean_ms - 6, abs=10)


def test_a_lost_syn_costs_a_second_and_a_hopeless_way_is_left(simulate: dict[str, ModuleType]) -> None:
    arms = measured(simulate, extra=1.0)
    assert min(arms["fast_open"]["ttfb_ms"]) > 1000 + min(arms["plain"]["ttfb_ms"]) - 60
    assert arms["fast_open"]["counters"] == {"TCPFastOpenActive": 0, "TCPFastOpenActiveFail": 5, "TCPSynRetrans": 5}
    assert arms["fast_open"]["ok"] == arms["plain"]["ok"] == 5
    assert measured(simulate, extra=1.0, loss=0.9)["plain"]["failed"] > 50


@pytest.mark.parametrize("burst", [1.0, 8.0])
def test_natural_loss_hits_the_packets_of_both_arms(simulate: dict[str, ModuleType], burst: float) -> None:
    arms = measured(simulate, 4000, loss=0.1, burst=burst)
    again = [sum(one["lost"] > 0 for one in arms[kind]["connections"]) / 4000 for kind in ("plain", "fast_open")]
    assert again[1] < again[0] < 0.21
    if burst == 1:
        assert again == [pytest.approx(0.19, abs=0.02), pytest.approx(0.1, abs=0.02)]
    else:
        assert again[0] < 0.12 and arms["plain"]["failed"] > 50
    assert measured(simulate, 3, loss=1.0)["plain"]["failed"] == 3


def test_origin_failures_and_drift(simulate: dict[str, ModuleType]) -> None:
    assert measured(simulate, 1000, fails=0.1)["plain"]["failed"] == pytest.approx(100, abs=40)
    assert mean(measured(simulate, 1000, origin_ms=800.0)["plain"]["ttfb_ms"]) == pytest.approx(1000, abs=100)
    moved = [mean(measured(simulate, after=after, drift_ms=60.0)["plain"]["ttfb_ms"]) for after in (False, True)]
    assert moved[1] - moved[0] == pytest.approx(60)


def read(simulate: dict[str, ModuleType], **situation: float) -> Client:
    one = simulate["_wave"].Measured([model(simulate).draw(simulate["_situation"].Situation(**situation), Random(1))])
    one.measure(100, True, Random(1))
    return simulate["_wave"].read(one, True)


@pytest.mark.parametrize(("extra", "passes"), [(0.0, (True, True)), (0.2, (True, False)), (1.0, (False, False))])
def test_rivals(simulate: dict[str, ModuleType], extra: float, passes: tuple[bool, bool]) -> None:
    client, rivals = read(simulate, extra=extra), simulate["_rivals"]
    assert (rivals.mann_whitney(client), rivals.thresholds(client)) == passes
    assert (rivals.mann_whitney(Client()), rivals.thresholds(Client())) == (False, False)


@pytest.mark.parametrize(("module", "name"), MODELS)
def test_cells_count_what_happened(simulate: dict[str, ModuleType], module: str, name: str) -> None:
    cells, drawn, situation = simulate["_cells"], model(simulate, module, name), simulate["_situation"].Situation
    fine = cells.waves(drawn, [situation()] * 5, 4, 2, "seed")
    assert (fine.percent("promote"), fine.percent("any"), fine.percent("well"), fine.mean_requests()) == (
        100,
        0,
        100,
        20,
    )
    assert fine.rival_percent("mann_whitney") == 100
    spoiled = cells.waves(drawn, [situation(extra=1.0)] + [situation()] * 10, 3, 1, "seed")
    happened = [spoiled.percent(what) for what in ("promote", "any", "named", "well")]
    assert happened == [100, 100, 100, 0]
    dying = cells.clients(drawn, situation(extra=1.0), 20, 10, 1, "seed")
    assert (dying.percent("revert"), dying.mean_requests(), dying.rival_percent("thresholds")) == (100, 5, 0)
    again = [cells.clients(drawn, situation(loss=0.02, extra=0.2), 5, 5, 1, "seed") for _time in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize(("controls", "verdict"), [(2, "roll_back"), (0, "promote")])
def test_batches_have_a_control_or_none(simulate: dict[str, ModuleType], controls: int, verdict: str) -> None:
    cells, calm = simulate["_cells"], simulate["_situation"].Situation()
    slow = cells.one_slow(3, 400.0, calm)
    assert [way.drift_ms for way in slow] == [400, 0, 0]
    cell = cells.batches(model(simulate), [slow] * 2, [calm] * controls, 3, "seed", {})
    assert cell.percent(verdict) == 100


def test_ways_share_the_requests(simulate: dict[str, ModuleType]) -> None:
    drawn, calm = model(simulate), simulate["_situation"].Situation()
    one = simulate["_wave"].Measured([drawn.draw(calm, Random(1)) for _way in range(3)])
    one.measure(20, True, Random(1))
    assert [path["plain"]["ok"] for path in one.after[0]["paths"]] == [7, 7, 6] and one.requests() == 20


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
    table.row("loss 2 %", 5, cell, "revert", [main.Goal("promote", at_most=0.1), main.Goal("revert", at_least=99)])
    assert table.missed == 2 and "MISSED promote 1.20 > 0.1, revert 98.00 < 99" in capsys.readouterr().out


def test_the_models_are_those_that_there_are(simulate: dict[str, ModuleType]) -> None:
    assert sorted(simulate["__main__"].MODELS.values()) == sorted(MODELS)


def test_run_ends_as_its_clients_do(simulate: dict[str, ModuleType]) -> None:
    """A harmless fleet is promoted; a client that loses everything goes alone; a wave that loses its hosts stops the run."""
    runs, situation = simulate["_runs"], simulate["_situation"].Situation
    calm, bad = situation(), situation(extra=1.0)
    fine = runs.simulate(runs.Fleet(4, calm), model(simulate), Random(1))
    assert fine.well() and set(fine.outcomes.values()) == {"promoted"}
    for turns, outcome in ((False, "skipped"), (True, "reverted")):
        run = runs.simulate(runs.Fleet(4, calm, bad, turns), model(simulate), Random(1))
        assert (run.stopped, run.outcomes.pop("c3")) == ("", outcome)
        assert set(run.outcomes.values()) == {"promoted"}
    lost = runs.simulate(runs.Fleet(40, calm, vanish=0.6), model(simulate), Random(2))
    assert lost.stopped and not lost.well()


def test_runs_are_a_table(
    simulate: dict[str, ModuleType], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """With its goals, and how many were missed."""
    runs = simulate["_runs"]
    monkeypatch.setattr(runs, "simulate", lambda fleet, *_more: runs.Run({"c0": "reverted"}, "wave"))
    assert runs.table(None, 10, "x", 0) > 10
    assert "MISSED" in capsys.readouterr().out


def test_the_picture_tells_every_bar_in_words(simulate: dict[str, ModuleType]) -> None:
    picture = simulate["_picture"]
    places = [(case, size) for case in picture.CASES for size in picture.SIZES]
    shares = {place: 90.3 + number for number, place in enumerate(places)}
    drawn = picture.draw(shares)
    assert drawn.count("<rect") == len(picture.SIZES) * (1 + len(picture.CASES))
    for share in shares.values():
        assert drawn.count(f"{share:.3g}") == 2  # beside the bar, and described
