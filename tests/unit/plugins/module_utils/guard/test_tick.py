# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tick: what raises suspicion, what starts the whole program, and what it costs nothing to keep fresh."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine, _tick

KEPT = {
    "at": "1000.0",
    "acked": "10",
    "lost": "5",
    "level": "0.0",
    "threshold": "5.0",
    "not_before": "0.0",
    "look_at": "1500.0",
    "watched": "1",
    "signature": "s",
    "blind": "0",
}


def due(acked=10, lost=5, now=1030.0, seen="s", **change):
    """What a tick decides by these counters."""
    found = {"TCPFastOpenActive": str(acked), "TCPSynRetrans": str(lost)}
    return _tick.due({**KEPT, **change}, now, found, seen)


@pytest.mark.parametrize(
    ("acked", "lost", "raised"),
    [
        (0, 0, False),
        (0, 2, False),
        (0, 3, True),
        (29, 1, False),  # a request a second of which 3 % are lost
        (20, 9, True),
        (20, 2, False),
    ],
)
def test_suspicion(acked, lost, raised):
    """Three losses in a row raise it, single ones among what is acknowledged do not."""
    why, after = due(10 + acked, 5 + lost)
    assert (why == "suspicion") is raised
    assert (after["acked"], after["lost"]) == (10 + acked, 5 + lost)


def test_suspicion_is_forgotten():
    """By acknowledged data at once, by time slowly; and a long outage is no heavier than a short one."""
    assert _tick.level(10.0, 0, 40, 0) == 0
    assert _tick.level(10.0, 600, 0, 0) == 5.0
    assert _tick.level(0.0, 0, 0, 10_000) == _tick.MOST
    assert _tick.level(1e9, 0, 0, 0) == _tick.MOST


def test_a_counter_that_begins_anew():
    """After a boot: nothing negative counts for anything."""
    assert due(0, 0)[0] == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"not_before": "1100.0"}, ""),
        ({"not_before": "999999999.0"}, "suspicion"),  # the clock was set back meanwhile
        ({"threshold": "24.0"}, ""),
        ({"watched": "0"}, ""),
    ],
)
def test_suspicion_that_waits(change, why):
    """While it rests, for a higher threshold, and without a client under TFO."""
    assert due(10, 9, **change)[0] == why


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ({"signature": "other"}, {}),
        ({}, {"now": 1600.0}),
        ({"look_at": "99999999.0"}, {}),
        ({"level": "damaged"}, {}),
    ],
)
def test_looks(change, arguments):
    """When somebody changed something, when it is time, when the clock was set back, when what was kept is damaged."""
    assert due(**arguments, **change)[0] == "look"


def test_nothing_is_kept():
    """The first tick after a boot."""
    assert _tick.due({}, 1.0, {}, "s") == ("look", {})


def test_counters(tmp_path):
    """By name, whatever the columns are."""
    file = tmp_path / "netstat"
    file.write_text("TcpExt: SyncookiesSent TCPFastOpenActive\nTcpExt: 0 7\nIpExt: InNoRoutes\nIpExt: 1\n")
    assert _tick.counters(str(file)) == {"SyncookiesSent": "0", "TCPFastOpenActive": "7"}
    file.write_text("")
    assert _tick.counters(str(file)) == {}


def test_kept(tmp_path):
    """What is written is read back; for nobody else, and nothing stays half written."""
    path = tmp_path / "guard/tick"
    _tick.write(KEPT, str(path))
    _tick.write(KEPT, str(path))
    assert _tick.read(str(path)) == KEPT
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert os.listdir(path.parent) == ["tick"]
    path.write_text("damaged")
    assert _tick.read(str(path)) == {}


TEXT = f"""{_tick.MARK}# TYPE tfo_syn_data_total counter
tfo_syn_data_total{{side="client",result="acked"}} 1
tfo_guard_last_run_timestamp_seconds 1000
tfo_stage{{side="client",stage="send"}} 1
"""


def test_refresh(tmp_path):
    """Counters and the time are fresh, all else is as it was; readable by all."""
    path = tmp_path / "fastopen.prom"
    path.write_text(TEXT)
    _tick.refresh(str(tmp_path), 1030.4, {"TCPFastOpenActive": "42"})
    assert path.read_text() == TEXT.replace('"acked"} 1', '"acked"} 42').replace("seconds 1000", "seconds 1030")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("content", ["# somebody's\n", None])
def test_refresh_of_what_is_not_ours(tmp_path, content):
    """Stays; and nothing is made where nothing is."""
    path = tmp_path / "fastopen.prom"
    if content is not None:
        path.write_text(content)
    _tick.refresh(str(tmp_path), 1030.0, {"TCPFastOpenActive": "42"})
    assert (path.read_text() if path.exists() else None) == content


def test_refresh_follows_no_link(tmp_path):
    """Which somebody may have put there."""
    (tmp_path / "else").write_text(TEXT)
    (tmp_path / "fastopen.prom").symlink_to(tmp_path / "else")
    _tick.refresh(str(tmp_path), 1030.0, {"TCPFastOpenActive": "42"})
    assert (tmp_path / "else").read_text() == TEXT


def test_tick_that_cannot_be_kept(tmp_path, monkeypatch):
    """/run is full: what was kept before still counts, and a suspicion is looked into all the same."""
    monkeypatch.setattr(_tick, "STATE", str(tmp_path / "tick"))
    monkeypatch.setattr(_tick, "signature", lambda: "s")
    monkeypatch.setattr(_tick, "PROGRAM", str(tmp_path))
    monkeypatch.setattr(_tick.time, "time", lambda: 1030.0)
    monkeypatch.setattr(_tick, "counters", lambda: {"TCPSynRetrans": "50"})
    _tick.write(KEPT, _tick.STATE)
    started = []
    monkeypatch.setattr(os, "execv", lambda _program, argv: started.append(argv[5]))

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_tick, "replace", full)
    _tick.main([])
    assert started == ["--because=suspicion"]


@pytest.mark.parametrize(
    ("kept", "found", "why"),
    [
        ("0", {}, "look"),
        ("0", {"TCPFastOpenActive": "10"}, "look"),
        ("1", {}, ""),
        ("1", {"TCPSynRetrans": "50000"}, "look"),
        ("0", {"TCPSynRetrans": "5"}, ""),
    ],
)
def test_counter_that_cannot_be_read(kept, found, why):
    """That begins and ends with a look, which says so; what rose meanwhile is no suspicion, and none is lost."""
    told, after = _tick.due({**KEPT, "blind": kept, "level": "2.0"}, 1000.0, found, "s")
    assert (told, after["acked"], after["level"]) == (why, 10, 2.0)


def test_tick_without_counters(tmp_path, monkeypatch):
    """A file that nobody may read ends no tick."""
    monkeypatch.setattr(_tick, "STATE", str(tmp_path / "tick"))
    monkeypatch.setattr(_tick, "signature", lambda: "s")
    monkeypatch.setattr(_tick, "PROGRAM", str(tmp_path))
    monkeypatch.setattr(_tick.time, "time", lambda: 1030.0)
    _tick.write(KEPT, _tick.STATE)
    started = []
    monkeypatch.setattr(os, "execv", lambda _program, argv: started.append(argv[5]))

    def unreadable():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_tick, "counters", unreadable)
    _tick.main([])
    assert started == ["--because=look"]
    _tick.write({**KEPT, "blind": "1"}, _tick.STATE)
    _tick.main([])
    assert len(started) == 1


def test_the_file_by_itself(tmp_path):
    """It runs alone with nothing but Python; without the program it says so once and fails for nobody."""
    text = open(_tick.__file__, encoding="utf-8").read().replace("/run/fastopen/guard", str(tmp_path / "guard"))
    file = tmp_path / "guard.py"
    file.write_text(text.replace("/usr/local/lib/fastopen/fastopen", str(tmp_path / "program")))
    command = [sys.executable, "-I", "-S", str(file), "--return"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "program is gone" in done.stdout
    (tmp_path / "program").write_text("import sys; print(sys.argv[1:])")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['guard', '--because=look', '--return']\n"


def test_a_whole_tick(tmp_path, monkeypatch):
    """The level is carried from tick to tick until it is enough."""
    monkeypatch.setattr(_tick, "STATE", str(tmp_path / "tick"))
    monkeypatch.setattr(_tick, "signature", lambda: "s")
    started = []
    monkeypatch.setattr(os, "execv", lambda _program, argv: started.append(argv[5]))
    monkeypatch.setattr(_tick, "PROGRAM", str(tmp_path))
    lost = iter([5, 7, 8, 8])
    now = iter([1000.0, 1030.0, 1060.0, 1090.0])
    monkeypatch.setattr(_tick, "counters", lambda: {"TCPSynRetrans": str(next(lost))})
    monkeypatch.setattr(_tick.time, "time", lambda: next(now))
    _tick.write(KEPT, _tick.STATE)
    for expected in ([], [], ["--because=suspicion"]):
        _tick.main([])
        assert started == expected
    assert float(_tick.read()["level"]) > _machine.THRESHOLD
