# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tick finds beside the counters: its own file half written, a textfile of somebody else, a clock that was set back."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _tick

SAMPLE = 'tfo_syn_data_total{side="client",result="acked"}'
OURS = f"{_tick.MARK}{SAMPLE} 1\n"


def test_tick_that_was_killed_half_written(tmp_path):
    """The next one keeps what it has all the same."""
    path = tmp_path / "tick"
    (tmp_path / ".tick.new").write_text("at 10")
    _tick.write({"at": 1030.0}, str(path))
    assert (_tick.read(str(path)), sorted(os.listdir(tmp_path))) == ({"at": "1030.0"}, ["tick"])


def test_textfile_of_somebody_else_with_our_names(tmp_path):
    """A copy that a site made of ours, say: it is theirs, and is not even written anew."""
    path = tmp_path / "fastopen.prom"
    path.write_text(f"# kept by site\n{SAMPLE} 1\n")
    before = path.stat()
    _tick.refresh(str(tmp_path), 1030.0, {"TCPFastOpenActive": "42"})
    assert (path.stat().st_ino, path.read_text()) == (before.st_ino, f"# kept by site\n{SAMPLE} 1\n")


def test_pipe_in_place_of_the_textfile(tmp_path):
    """Nobody writes into it, and a tick that waits for that would be the last one."""
    os.mkfifo(tmp_path / "fastopen.prom")
    _tick.refresh(str(tmp_path), 1030.0, {"TCPFastOpenActive": "42"})
    assert os.listdir(tmp_path) == ["fastopen.prom"]


@pytest.mark.parametrize(("whole", "count"), [("1", 42), ("0", 1)])
def test_textfile_of_the_arguments(tmp_path, monkeypatch, whole, count):
    """Its counters are fresh after every tick, but after a look that failed: there its figures are seen to be old."""
    monkeypatch.setattr(_tick, "STATE", str(tmp_path / "tick"))
    monkeypatch.setattr(_tick, "signature", lambda: "s")
    monkeypatch.setattr(_tick.time, "time", lambda: 1030.0)
    monkeypatch.setattr(_tick, "counters", lambda: {"TCPFastOpenActive": "42", "TCPSynRetrans": "5"})
    kept = {"at": 1000, "acked": 40, "lost": 5, "level": 0, "threshold": 5, "not_before": 0, "look_at": 1500}
    _tick.write({**kept, "watched": 1, "signature": "s", "blind": 0, "whole": whole})
    folder = tmp_path / "textfile"
    folder.mkdir()
    (folder / "fastopen.prom").write_text(OURS)
    assert _tick.main(["--return", "--textfile=", f"--textfile={folder}"]) == 0
    assert (folder / "fastopen.prom").read_text() == f"{_tick.MARK}{SAMPLE} {count}\n"


def test_clock_that_was_set_back():
    """Suspicion is not made by it."""
    assert _tick.level(2.0, -3600.0, 0, 0) == 2.0


def test_counters_that_fell():
    """Nor by counters that begin anew, nor is any taken away by them."""
    assert _tick.level(2.0, 0.0, -5, -5) == 2.0
