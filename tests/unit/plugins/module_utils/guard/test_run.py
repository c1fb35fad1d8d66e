# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look of the guard at a host: attempts, the way down, what is kept, told and shown."""

from __future__ import annotations

import json
import os
import re
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import (
    _attempts,
    _machine,
    _metrics,
    _state,
    _tick,
    _version,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _record, _status
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils.guard.conftest import look

UNIT = "ss-local@main.service"
TARGET = Target(UNIT, "203.0.113.7", 8388)


pytestmark = pytest.mark.usefixtures("path")


def test_nothing_wrong(client, path, said):
    """A few attempts, and nothing changes; the next suspicion must be a stronger one, and waits."""
    client.ask("present", "client")
    before = client.observe()
    assert look(said) == 0
    assert (path["made"], said, client.observe()) == (4, [], before)
    tick = _tick.read(_state.tick_path())
    assert (tick["watched"], tick["level"], round(float(tick["threshold"]), 2)) == ("1", "0.0", 10.0)
    assert 55 < float(tick["not_before"]) - time.time() <= 60


def test_suspicion_outlives_a_look(client, path, said):
    """A client with a request in five minutes is suspected by and by: looks come in between, and so do those that a run's
    calls cause. What attempts were made for, and what is taken off, begins anew."""
    client.ask("present", "client")
    look(said, because="look")
    tick = _tick.read(_state.tick_path())
    _tick.write({**tick, "level": 4.5}, _state.tick_path())
    look(said, because="look")
    assert (path["made"], _state.told()["suspicion"]) == (0, 4.5)
    _tick.write({**tick, "level": 5.5}, _state.tick_path())
    look(said)
    assert (path["made"], _state.told()["suspicion"]) == (4, 0.0)


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_path_that_loses_data(client, path, said, state):
    """Plain, proven, kept with its reason; also while a rollout holds the host, which is told."""
    client.ask(state, "client")
    path["fast"] = True
    assert look(said) == 0
    assert client.observe() == client.plain
    undone = _record.load().undone[UNIT]
    assert (undone["by"], "get lost" in undone["why"]) == ("guard", True)
    assert undone["intended"] == ("send" if state == "present" else "off")
    assert _status.observe()["intended"]["client"] == undone["intended"]
    assert said[-1] == f"{UNIT} is plain, and proven so"
    assert _state.load().machine.reverts == 1
    late = client.ask("confirmed", "client")
    if state == "stepped":
        assert (late.outcome, "taken off by the guard" in late.reasons[0]) == ("reverted", True)
    assert client.ask("stepped", "client", run="run2").outcome == "skipped"
    assert client.ask("stepped", "client", run="run2", retry=True).outcome == "stepped"


def test_what_the_tick_notices(client, said):
    """A step, its confirmation and what takes it off: each is looked at, so that a step is watched, too."""
    look(said, because="look")
    for state in ("claimed", "stepped", "confirmed", "released", "plain"):
        before = _tick.read(_state.tick_path())["signature"]
        client.ask(state, "client")
        assert (
            _tick.signature(str(client.host.state_dir / "record.json"), str(client.host.run_dir / "lease.json"))
            != before
        )
        look(said, because="look")
        assert _tick.read(_state.tick_path())["watched"] == str(int(client.flagged("client")))


def test_only_watched(client, path, said):
    """What is proven is named where status, audit and metrics find it; the client stays as it is."""
    client.ask("present", "client")
    path["fast"] = True
    assert look(said, undoes=False) == 0
    assert (client.flagged("client"), said, _record.load().undone) == (True, [], {})
    found = _status.observe()
    assert found["guard"]["paths"][0]["found"] == "lost"
    (problem,) = _status.problems(found)
    assert "203.0.113.7 port 8388 loses SYNs with data while plain ones pass" in problem
    path["fast"] = False
    look(said)
    assert not client.flagged("client")  # told to act again, it does so by the proof that it has


def test_evidence_of_before_a_way_down(client, path, said):
    """A path proven bad, the rollback by an operator, the network mended, the next rollout: it begins anew."""
    client.ask("present", "client")
    path["fast"] = True
    look(said, undoes=False)
    client.ask("plain", "client", run="", memory="add")
    look(said, because="look")
    path["fast"] = False
    client.ask("present", "client", retry=True)
    look(said)
    assert client.flagged("client")
    assert _status.observe()["guard"]["paths"][0]["found"] == "innocent"


def test_outage(client, path, said):
    """Not a reason."""
    client.ask("present", "client")
    path["fast"] = path["plain"] = True
    look(said)
    assert client.flagged("client")
    assert _status.observe()["guard"]["paths"][0]["found"] == "unreachable"


def test_not_proven_plain(client, path, said):
    """It says so, by its exit status, too."""
    client.ask("present", "client")
    client.host.answers = False
    path["fast"] = True
    assert look(said) == 1
    assert said[-1] == f"{UNIT} is NOT proven plain"


def test_only_that_unit(both, path, said):
    """A server on the same host goes on, and has no path that could be tried."""
    both.ask("present", "server")
    look(said)
    assert path["made"] == 0
    both.ask("present", "client")
    path["fast"] = True
    look(said)
    assert (both.flagged("server"), both.flagged("client")) == (True, False)


def test_no_room_to_keep_what_was_done(client, path, said, monkeypatch):
    """A full disk: the second of two services is not left to harm because of it, and the look is one that failed."""
    client.ask("present", "client")
    record = _record.load()
    other = "ss-local@other.service"
    record.units[other] = {**record.units[UNIT], "servers": [["203.0.113.8", 8388]]}
    _record.store(record)
    path["fast"] = True

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_state, "store", full)
    with pytest.raises(OSError, match="No space"):
        look(said)
    assert not client.flagged("client")
    assert [unit for unit in (UNIT, other) if any(line.startswith(f"{unit} is ") for line in said)] == [UNIT, other]
    assert f"{UNIT}: what the guard did is not kept: [Errno 28] No space left on device" in said
    assert _tick.read(_state.tick_path())["whole"] == "0"


def test_textfile(client, path, said, tmp_path):
    """Readable by all; the stage that runs, the stage that is intended, and the guard's own."""
    folder = tmp_path / "textfile"
    folder.mkdir()
    client.ask("present", "client")
    path["fast"] = True
    look(said, textfile=str(folder))
    file = folder / _metrics.NAME
    lines = file.read_text().splitlines()
    for line in (
        'tfo_stage{side="client",stage="off"} 1',
        'tfo_stage_intended{side="client",stage="send"} 1',
        'tfo_undone{side="client",by="guard"} 1',
        "tfo_guard_reverts_total 1",
        f'tfo_info{{version="{_version.VERSION}",kernel="{os.uname().release}"}} 1',
    ):
        assert line in lines
    assert (file.stat().st_mode & 0o777, os.listdir(folder)) == (0o644, [_metrics.NAME])


def test_textfile_of_somebody_else(client, said, tmp_path):
    """Stays, and is said; the guard goes on."""
    client.ask("present", "client")
    (tmp_path / _metrics.NAME).write_text("mine 1\n")
    assert look(said, textfile=str(tmp_path)) == 0
    assert "somebody else's" in said[-1]
    assert (tmp_path / _metrics.NAME).read_text() == "mine 1\n"


def test_intended(client, said, path, tmp_path):
    """What an operator took off is not intended any more, also where the guard had taken it off before."""
    client.ask("present", "client")
    path["fast"] = True
    look(said)
    client.ask("plain", "client", run="")
    look(said, because="look", textfile=str(tmp_path))
    assert 'tfo_stage_intended{side="client",stage="off"} 1' in (tmp_path / _metrics.NAME).read_text()


def test_what_was_before_the_first_look_is_not_named(server, said, monkeypatch):
    """The kernel has counted since its boot, perhaps for months."""
    server.ask("present", "server")
    counters = {"TCPFastOpenPassive": 100, "TCPFastOpenListenOverflow": 900, "TCPFastOpenPassiveFail": 900}
    monkeypatch.setattr(_counters, "read", lambda: dict(counters))
    look(said, because="look")
    assert _state.load().named["server"] == []
    counters.update(TCPFastOpenPassive=10, TCPFastOpenListenOverflow=90, TCPFastOpenPassiveFail=0)
    look(said, because="look")  # after a boot
    (named,) = _state.load().named["server"]
    assert "of 100 SYNs with data 90 found the TFO queue" in named["message"]


def test_servers_are_watched(server, said, tmp_path, monkeypatch):
    """Nothing can be tried from there: what the counters say since the last look is named."""
    server.ask("present", "server")
    counters = {"TCPFastOpenPassive": 100, "TCPFastOpenListenOverflow": 0, "TCPFastOpenPassiveFail": 5}
    monkeypatch.setattr(_counters, "read", lambda: dict(counters))
    look(said, because="look")
    assert _status.observe()["guard"]["named"] == {"client": [], "server": [], "watch": []}
    counters.update(TCPFastOpenPassive=150, TCPFastOpenListenOverflow=50)
    look(said, because="look", textfile=str(tmp_path))
    (named,) = _state.load().named["server"]
    assert "of 100 SYNs with data 50 found the TFO queue" in named["message"]
    assert "tfo_problems 1" in (tmp_path / _metrics.NAME).read_text()
    assert 'tfo_syn_data_total{side="server",result="overflow"} 50' in (tmp_path / _metrics.NAME).read_text()


def test_refused_is_looked_into(client, path, said, monkeypatch):
    """Most SYN data arrives and is not taken: a few attempts tell which server, and it is named, not undone."""
    client.ask("present", "client")
    path["fast"] = None
    counters = {"TCPFastOpenActiveFail": 0, "TCPFastOpenActive": 0}
    monkeypatch.setattr(_counters, "read", lambda: dict(counters))
    look(said, because="look")
    assert path["made"] == 0
    counters.update(TCPFastOpenActiveFail=20, TCPFastOpenActive=1)
    look(said, because="look")
    assert client.flagged("client")
    (named,) = _status.observe()["guard"]["named"]["client"]
    assert "203.0.113.7 port 8388 takes no SYN data" in named["message"]


@pytest.mark.parametrize("because", ["suspicion", "look"])
def test_pause_is_named_as_such(client, path, said, tmp_path, monkeypatch, because):
    """After an outage the kernel sends no SYN data for a while, to any server: that is not the server's doing."""
    client.ask("present", "client")
    counters = {"TCPFastOpenBlackhole": 0}
    monkeypatch.setattr(_counters, "read", lambda: dict(counters))
    look(said, because="look")
    assert path["made"] == 0
    counters.update(TCPFastOpenBlackhole=1)
    path.update(fast=None, paused=True)
    look(said, because=because, textfile=str(tmp_path))
    assert client.flagged("client") and said == []
    told = _status.observe()["guard"]
    assert [one["found"] for one in told["paths"]] == ["paused"]
    assert "this host's kernel has paused TFO" in told["named"]["client"][0]["message"]
    assert "tfo_paused 1\n" in (tmp_path / _metrics.NAME).read_text()
    path.update(fast=False, paused=False)  # each look sees whether it has ended
    look(said, because="look", textfile=str(tmp_path))
    assert _status.observe()["guard"]["named"]["client"] == []
    assert "tfo_paused 0\n" in (tmp_path / _metrics.NAME).read_text()
    assert path["made"] == 8
    look(said, because="look")
    assert path["made"] == 8


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), None])
def test_counters_that_cannot_be_read(client, said, tmp_path, monkeypatch, error):
    """The guard says once that it cannot watch, and once that it can again; status and metrics have it meanwhile."""
    client.ask("present", "client")

    def unreadable():
        if error:
            raise error
        return {"SyncookiesSent": "0"}

    def failing():
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(_tick, "counters", unreadable)
        patch.setattr(_counters, "read", failing)
        for _time in range(2):
            assert look(said, because="look", textfile=str(tmp_path)) == 0
        (line,) = said
        assert line.startswith("the guard cannot watch: /proc/net/netstat ")
        assert ("cannot be read (Permission denied)" if error else "has no TCPSynRetrans of TcpExt") in line
        assert line in _status.of_host(_status.observe())
        assert _tick.read(_state.tick_path())["blind"] == "1"
        shown = (tmp_path / _metrics.NAME).read_text()
        assert "tfo_guard_watching 0\n" in shown and "tfo_syn_data_total" not in shown
    look(said, because="look", textfile=str(tmp_path))
    assert said == [line, "the counters can be read: the guard watches again"]
    assert _status.of_host(_status.observe()) == []
    assert "tfo_guard_watching 1\n" in (tmp_path / _metrics.NAME).read_text()


def test_look_that_is_ended_in_the_middle(client, path, said, monkeypatch):
    """By systemd, when its time is over, say: the next one goes on from what it has learnt."""
    client.ask("present", "client")
    path["fast"] = True
    pairs = _attempts.pairs

    def ended(*asked):
        if path["made"]:
            raise SystemExit
        return pairs(*asked)

    monkeypatch.setattr(_attempts, "pairs", ended)
    with pytest.raises(SystemExit):
        look(said)
    assert [len(one.pairs) for one in _state.load().machine.evidence.values()] == [path["made"]]


def test_what_fails_is_not_tried_at_every_tick(client, said):
    """A damaged record: said, and the next look is a quarter of an hour away."""
    client.ask("present", "client")
    client.host.put(client.host.state_dir / "record.json", "{")
    with pytest.raises(_record.RecordError):
        look(said)
    tick = _tick.read(_state.tick_path())
    assert float(tick["look_at"]) - time.time() > 800
    assert _tick.due(tick, time.time() + 30, {_tick.LOST: tick["lost"]}, tick["signature"])[0] == ""


def test_metrics_after_a_look_that_failed_grow_old(client, said, tmp_path, monkeypatch):
    """No tick says that the guard ran while it can do nothing; the next look that works does."""
    client.ask("present", "client")
    look(said, because="look", textfile=str(tmp_path))
    file = tmp_path / _metrics.NAME
    file.write_text(re.sub(f"(?m)^{_tick.RAN} .*$", f"{_tick.RAN} 1000", file.read_text()))
    record = client.host.state_dir / "record.json"
    kept = record.read_bytes()
    client.host.put(record, "{")
    with pytest.raises(_record.RecordError):
        look(said, because="look", textfile=str(tmp_path))
    seen = _tick.read(_state.tick_path())["signature"]
    monkeypatch.setattr(_tick, "STATE", _state.tick_path())
    monkeypatch.setattr(_tick, "signature", lambda *_paths: seen)
    assert _tick.main([f"--textfile={tmp_path}"]) == 0
    assert f"{_tick.RAN} 1000\n" in file.read_text()
    client.host.put(record, kept.decode())
    look(said, because="look", textfile=str(tmp_path))
    assert f"{_tick.RAN} 1000\n" not in file.read_text()


@pytest.mark.parametrize("damage", ["{", "[]", '{"machine": {}}', "{}"])
def test_damaged_state(client, said, damage):
    """Begun anew."""
    client.ask("present", "client")
    client.host.put(_state.path(), damage)
    assert look(said) == 0
    assert json.loads(open(_state.path(), encoding="utf-8").read())["machine"]["reverts"] == 0


def test_state(tmp_path, monkeypatch):
    """Everything that is kept comes back, for root only."""
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path))
    monkeypatch.setattr(_record, "RUN_FOLDER", str(tmp_path / "run"))
    kept = _state.Kept(
        _machine.State(
            {TARGET: _machine.Evidence("a", [Pair(1.0, False, None)])},
            {TARGET: "innocent"},
            {UNIT: _machine.Taken({"side": "client"}, 1.0, 2.0, 3.0, "why")},
            reverts=4,
        ),
        {"server": [{"message": "m", "remedy": "r"}]},
        {"client": ("send", 5.0)},
        {"TCPFastOpenActive": 6},
        7.0,
    )
    _state.store(kept)
    assert _state.load() == kept
    assert os.stat(_state.path()).st_mode & 0o777 == 0o600
    _state.remove()
    assert (_state.load(), os.path.exists(tmp_path / "guard")) == (_state.Kept(), False)


def test_command(client, path, capsys, tmp_path):
    """As the tick starts it."""
    client.ask("present", "client")
    path["fast"] = True
    assert _cli.main(["guard", "--because=suspicion", "--return", f"--textfile={tmp_path}"]) == 0
    assert "plain, and proven so" in capsys.readouterr().out
    assert (tmp_path / _metrics.NAME).exists()
