# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path that was bad before the step: that client is left as it is and named, and the others go on."""

from __future__ import annotations

from pathlib import Path

from _boxes import REFUSED, assert_fast, assert_plain, back, box, boxes, rollout
from _hosts import host
from _seen import sysctl

CLIENTS = "c2,c3,c4"


def test_large_syn_data_lost_and_option_stripped_beside_a_slow_path(tmp_path: Path) -> None:
    """One byte in a SYN passes the box of c2, a request does not: only real requests tell."""
    with boxes("c2 drop-data-over 50", "c3 strip", "c4 delay 100"):
        run = rollout(CLIENTS, tmp_path)
        assert run.status == 0
        assert run.outcomes() == {"c2": "skipped", "c3": "skipped", "c4": "promoted"}
        assert "revert; worse: failed or late" in run.reasons("c2")
        assert "SYNs with data get lost: TCPSynRetrans" in run.words
        assert "no gain: SYN data is refused more often than taken" in run.reasons("c3")
        assert run.reverted() == {}
        assert_plain("c2")
        assert_plain("c3")
        assert_fast("c4", 150)
    back("c4")


def test_syn_data_lost_and_synproxy_beside_a_lossy_path(tmp_path: Path) -> None:
    with boxes("c2 drop-data", "c3 synproxy", "c4 loss 3"):
        run = rollout(CLIENTS, tmp_path)
        assert run.status == 0
        assert run.outcomes() == {"c2": "skipped", "c3": "skipped", "c4": "promoted"}
        assert "syn_dropped: ss2 port 8388" in run.reasons("c2") or "worse: failed or late" in run.reasons("c2")
        assert REFUSED in run.reasons("c3")
        assert_plain("c2")
        box("c3", "off")  # SYNPROXY stalls a connection now and then, with and without TFO
        assert_plain("c3")
        assert_fast("c4")
    back("c4")


def test_bad_client_in_a_wave_of_its_own(tmp_path: Path) -> None:
    """It is passed over and named; the waves after it get TFO, and the run is a good one (field: A15)."""
    with boxes("c2 drop-data"):
        run = rollout(CLIENTS, tmp_path, rollout_client_waves=["10%", "50%", "100%"])
        assert run.status == 0
        assert run.words.count("PLAY [Remaining clients, in waves]") == 3
        assert "wave: passed over, nobody in it is eligible c2: skipped" in run.words
        assert_plain("c2")
        assert_fast("c3")
        assert_fast("c4")
    back("c3,c4")


def test_no_canary_left(tmp_path: Path) -> None:
    """Nothing can be learnt from it, so the run stops there."""
    with boxes("c1 drop-option"):
        run = rollout("c1,c3", tmp_path)
        assert run.status != 0
        assert run.gate()["verdict"] == "inconclusive"
        assert "canary: no canary is left, so nothing can be learnt" in run.words
        assert_plain("c1")
        assert_plain("c3")


def test_nobody_left(tmp_path: Path) -> None:
    """SYNs with the option lost, and half of the SYNs with data: each client is named, and nobody is touched."""
    with boxes("c2 drop-option", "c4 lose-fast 50"):
        run = rollout("c2,c4", tmp_path)
        assert run.status == 0
        assert run.gate()["verdict"] == "promote"
        assert run.outcomes() == {"c2": "skipped", "c4": "skipped"}
        assert "passed over, nobody in it is eligible" in run.words
        assert "worse: " in run.reasons("c2")
        assert "worse: " in run.reasons("c4")
        assert_plain("c2")
        assert_plain("c4")


def test_server_with_syn_cookies_only(tmp_path: Path) -> None:
    """It grants no cookie to itself either, so the run ends before anything is changed and says which server is to go first."""
    host("ss1").check_output("sysctl -qw net.ipv4.tcp_syncookies=2")
    try:
        run = rollout("c3", tmp_path)
    finally:
        host("ss1").check_output("sysctl -qw net.ipv4.tcp_syncookies=1")
    assert run.status != 0
    assert "c3: server ss1 does not accept SYN data yet and is outside of this run's limit" in run.words
    assert [event["step"] for event in run.events] == ["preflight"]
    assert_plain("c3")


def test_client_whose_kernel_must_not_send(tmp_path: Path) -> None:
    """Without 0x1 it cannot be measured before its step, for ss-local with --fast-open would exit: after it, it is."""
    host("c2").check_output("sysctl -qw net.ipv4.tcp_fastopen=2")
    run = rollout("c2", tmp_path)
    assert run.status == 0
    assert run.outcomes() == {"c2": "promoted"}
    assert "c2: promote: fine after" in run.words
    assert sysctl("c2", "net.ipv4.tcp_fastopen") == "3"
    assert_fast("c2")
    back("c2")
    assert sysctl("c2", "net.ipv4.tcp_fastopen") == "2"
    host("c2").check_output("sysctl -qw net.ipv4.tcp_fastopen=1")
