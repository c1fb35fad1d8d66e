# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path that turns bad while a step bakes: its client is reverted, and above the allowed share the wave, or everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from _boxes import REFUSED, assert_fast, assert_plain, back, box, boxes, rollout
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
        assert run.gate()["verdict"] == "promote"
        assert run.outcomes() == {"c2": "reverted", "c3": "reverted", "c4": "promoted"}
        assert "c2: reverted: worse: failed or late" in run.words
        assert "worse: failed or late" in run.reasons("c2")
        assert REFUSED in run.reasons("c3")
        assert run.reverted() == {"c2": "plain", "c3": "plain"}
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
        assert run.gate()["verdict"] == "promote"
        assert run.outcomes() == {"c2": "reverted", "c3": "promoted"}
        assert run.reverted() == {"c2": "plain"}
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
        assert run.gate()["verdict"] == "roll_back"
        assert run.outcomes() == {"c2": "reverted", "c3": "reverted", "c4": "reverted"}
        assert run.reasons("c4") == "goes back with its wave"
        assert "2 of 3 clients are worse (c2, c3): with earlier waves 2 of 3, more than 10%" in run.words
        assert run.reverted() == {"c2": "plain", "c3": "plain", "c4": "plain"}
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
        assert run.gate()["verdict"] == "roll_back"
        assert run.outcomes() == {"c2": "reverted", "c3": "reverted", "c4": "reverted"}
        assert run.reverted() == dict.fromkeys(CLIENTS, "plain")
        for client in CLIENTS:
            assert_plain(client)


def test_some_syns_lost_beside_a_slower_path_and_a_lossy_one(tmp_path: Path) -> None:
    """Plain traffic that got slower since the step is held against it: no client outside the wave got slower as well."""

    def happens() -> None:
        box("c2", "lose-fast", "60")
        box("c3", "delay", "300")
        box("c4", "loss", "2")

    with boxes():
        run = rollout("c2,c3,c4", tmp_path, happens, rollout_max_reverted_share=0.7)
        assert run.status != 0
        assert run.outcomes() == {"c2": "reverted", "c3": "reverted", "c4": "promoted"}
        assert "worse: " in run.reasons("c2")
        assert "its plain traffic is worse than before the step" in run.reasons("c3")
        assert_plain("c2")
        assert_plain("c3", 350)
        assert_fast("c4")
