# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path that turns bad while a step bakes: its client is reverted, and above the allowed share the wave, or everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from _boxes import assert_fast, assert_plain, back, box, boxes, rollout, same_as_golden
from _elsewhere import Elsewhere
from _hosts import CLIENTS, play


@pytest.fixture(scope="module", autouse=True)
def canary() -> None:
    """c1 is in its stage already."""
    assert play("fastopen.shadowsocks.rollout", "--limit", "c1", rollout_probe_requests=0).status == 0


def test_bad_clients_are_reverted_and_the_others_stay(tmp_path: Path) -> None:
    def happens() -> None:
        box("c2", "drop-data")
        box("c3", "synproxy")

    with boxes():
        run = rollout("shadowsocks_clients", tmp_path, happens, rollout_max_reverted_share=0.7)
        assert run.status != 0  # not everybody is promoted, or skipped for a reason: each is named at the end
        assert run.verdict() == "promote"
        assert run.outcomes() == {"c1": "promoted", "c2": "reverted", "c3": "reverted", "c4": "promoted"}
        assert "reverted c2: loses SYNs with data" in run.words
        assert run.reasons("c3")
        assert run.reverted() == ["c2", "c3"]
        assert_plain("c2")
        box("c3", "off")  # SYNPROXY stalls a connection now and then, with and without TFO
        assert_plain("c3")
        assert_fast("c4")
        assert_fast("c1")
        again = rollout("c2", tmp_path, rollout_retry=False)
        assert again.status == 0
        assert again.outcomes() == {"c2": "skipped"}
        assert "taken off by rollout at" in again.reasons("c2")
        assert "-e rollout_retry=true tries again" in again.reasons("c2")


def test_one_bad_client_of_two_goes_alone(tmp_path: Path) -> None:
    """However small the wave is. The box starts by its clock."""
    with boxes():
        run = rollout("shadowsocks_clients", tmp_path, lambda: box("c2", "drop-data-over", "50", "--after", "1"))
        assert run.status != 0
        assert run.verdict() == "promote"
        assert run.outcomes() == {"c1": "promoted", "c2": "reverted", "c3": "promoted", "c4": "promoted"}
        assert run.reverted() == ["c2"]
        same_as_golden(run.output, "bad_client")
        assert_plain("c2")
        assert_fast("c3")
    back("c3,c4")


def test_above_the_share_the_wave_goes_back(tmp_path: Path) -> None:
    """Two of three clients are more than one and more than a tenth; clients of earlier waves keep their stage."""

    def happens() -> None:
        box("c2", "drop-data")
        box("c3", "strip")

    with boxes():
        run = rollout("shadowsocks_clients", tmp_path, happens)
        assert run.status != 0
        assert run.verdict() == "roll_back"
        assert run.outcomes() == {"c1": "promoted", "c2": "reverted", "c3": "reverted", "c4": "reverted"}
        assert "goes back with its wave" in run.reasons("c4")
        assert "are bad so far" in run.words
        same_as_golden(run.output, "wave_back")
        assert run.reverted() == ["c2", "c3", "c4"]
        assert_plain("c2")
        assert_plain("c4")
        assert_fast("c1")


def test_everybody_goes_back(tmp_path: Path) -> None:
    """With rollout_revert: all, also the canary and earlier waves, which no play of the failed wave has."""

    def happens() -> None:
        box("c2", "drop-option")
        box("c3", "strip")

    with boxes():
        run = rollout("shadowsocks_clients", tmp_path, happens, rollout_revert="all")
        assert run.status != 0
        assert run.verdict() == "roll_back"
        assert run.outcomes() == dict.fromkeys(CLIENTS, "reverted")
        for client in CLIENTS:
            assert_plain(client)


def test_some_syns_lost_beside_a_slower_path_and_a_lossy_one(tmp_path: Path) -> None:
    """That everything on a path became slower is nobody's fault: plain requests at the same time did as well (field: A16)."""

    def happens() -> None:
        box("c2", "lose-fast", "60")
        box("c3", "delay", "300")
        box("c4", "loss", "2")

    with boxes():
        run = rollout("c2,c3,c4", tmp_path, happens, rollout_probe_requests=60)
        assert run.status != 0
        assert run.outcomes() == {"c2": "reverted", "c3": "promoted", "c4": "promoted"}
        assert "loses SYNs with data" in run.reasons("c2")
        assert_plain("c2")
        assert_fast("c3", 350)
        assert_fast("c4")


@pytest.mark.parametrize("kind", ["drop-data", "drop-data-over 50", "strip"])
def test_each_kind_of_box_on_one_client_of_four(tmp_path: Path, kind: str) -> None:
    """Whoever is behind it is skipped, in the default waves; the other three are promoted, also by the next run (field: A15)."""
    back(",".join(CLIENTS))
    with boxes(f"c3 {kind}"):
        for again in range(2 if kind == "drop-data-over 50" else 1):
            run = rollout(
                "shadowsocks_clients", tmp_path, rollout_client_waves=["10%", "50%", "100%"], rollout_retry=not again
            )
            assert run.status == 0
            assert run.outcomes() == {"c1": "promoted", "c2": "promoted", "c3": "skipped", "c4": "promoted"}
        assert_plain("c3")
        assert_fast("c4")


def test_good_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody gains a round trip, and it reads as a short report; whoever is elsewhere is told of it, and can ask."""
    back(",".join(CLIENTS))
    elsewhere = Elsewhere(tmp_path, monkeypatch)
    waves = ["10%", "50%", "100%"]
    run = rollout("shadowsocks_clients", tmp_path, elsewhere.asks, rollout_client_waves=waves, **elsewhere.variables)
    assert run.status == 0
    assert run.outcomes() == dict.fromkeys(CLIENTS, "promoted")
    same_as_golden(run.output, "good")
    elsewhere.has_followed(run)
    elsewhere.has_been_told(run)
    elsewhere.has_measured(run)
