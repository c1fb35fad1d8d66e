# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way down, from whatever state, with nothing in its way. Killed calls are in test_killed.py."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc, _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _cli,
    _down,
    _drop_in,
    _lease,
    _lock,
    _record,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._others import (
    FLAG,
    LISTENER,
    argv,
    ask,
    restarts,
    serve,
)

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
UNIT = {"side": "client", "mode": "odd", "program": "ss-local", "address": "", "port": 1080, "url": ""}
ODD = json.dumps({"units": {UNITS["client"]: UNIT}})


def bring(stage, side, state):
    """From plain to a state."""
    if state != "plain":
        stage.ask("stepped", side)
    if state == "confirmed":
        stage.ask("confirmed", side)


@pytest.mark.parametrize("state", ["plain", "stepped", "confirmed"])
def test_back_to_what_was(stage, side, state):
    """Files, argv, bits, boot; and the second time nothing changes."""
    bring(stage, side, state)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, result.changed, result.reasons) == ("plain", state != "plain", [])
    assert stage.observe() == stage.plain
    assert (stage.host.transient, stage.host.state_dir.exists()) == (set(), False)
    again = stage.ask("plain", side, run="")
    assert (again.outcome, again.changed) == ("plain", False)


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_check_mode(stage, side, state):
    """It tells the same and changes nothing."""
    bring(stage, side, state)
    before, stage.host.done = stage.observe(), []
    planned = stage.ask("plain", side, check=True, run="")
    assert (planned.outcome, stage.observe(), stage.host.done) == ("planned", before, [])
    real = stage.ask("plain", side, run="")
    assert (planned.differs, planned.diff) == (real.differs, real.diff)


def test_bits_and_line_are_shown(server):
    """What is put back, beside the drop-in: the run-time value, and of the file no line but the one for TFO."""
    server.ask("present", "server")
    shown = server.ask("plain", "server", check=True, run="").diff
    assert [(os.path.basename(one["before_header"]), one["before"], one["after"]) for one in shown[1:]] == [
        ("run time", "net.ipv4.tcp_fastopen = 3\n", "net.ipv4.tcp_fastopen = 1\n"),
        ("99-tfo.conf", "net.ipv4.tcp_fastopen = 3\n", ""),
    ]
    assert all(one["before_header"] == one["after_header"] for one in shown)


@pytest.mark.parametrize("by", ["plain", "off", "lease"])
def test_condition_that_does_not_hold_any_more(stage, side, by):
    """A restart would leave it down: it runs on, named, plain from its next start on, and the next way down brings it there."""
    bring(stage, side, "stepped" if by == "lease" else "confirmed")
    stage.host.unmet.add(UNITS[side])
    pids = dict(stage.host.running)
    if by == "plain":
        planned = stage.ask("plain", side, check=True, run="")
        result = stage.ask("plain", side, run="")
        assert (result.outcome, planned.differs) == ("failed", result.differs)
        assert "would leave it down" in result.reasons[0] and "ConditionPathExists=/run/x" in result.reasons[0]
    elif by == "off":
        assert _cli.main(["off"]) == 1
    else:
        assert _lease.expire(_record.load_lease()).outcome == "failed"
    assert (stage.places(side), stage.flagged(side), stage.host.running) == ([], True, pids)
    stage.host.unmet.clear()
    assert stage.ask("plain", side, run="").outcome == "plain"
    assert stage.observe() == stage.plain


@pytest.mark.parametrize("first", ["server", "client"])
def test_one_side_leaves_the_other(both, first):
    """Each keeps its own, and the bits that it needs; after the second all is as it was."""
    other = "client" if first == "server" else "server"
    for side in ("server", "client"):
        both.ask("present", side)
    assert both.ask("plain", first, run="").outcome == "plain"
    assert (both.flagged(first), both.flagged(other)) == (False, True)
    needed = "3" if other == "server" else "1"
    assert (both.host.sysctl(), both.boot()) == (needed, "3" if other == "server" else None)
    both.ask("plain", other, run="")
    assert both.observe() == both.plain


def test_other_settings_stay(server):
    """Lines of others, and of role tcp_fastopen, in the same file; other bits (field: A12)."""
    file = server.host.root / "etc/sysctl.d/99-tfo.conf"
    text = "# mine\nnet.ipv4.tcp_fastopen = 5\nnet.core.somaxconn = 8192\nnet.ipv4.tcp_fastopen_key = secret\n"
    server.host.put(file, text)
    _proc.write_sysctl(_proc.FASTOPEN, "5", str(server.host.root / "proc"))
    server.ask("present", "server")
    assert (server.host.sysctl(), "net.ipv4.tcp_fastopen = 7\n" in file.read_text()) == ("7", True)
    server.ask("plain", "server", run="")
    assert (server.host.sysctl(), file.read_text()) == ("5", text)


def test_listener_comes_back_without_a_queue(others, monkeypatch):
    """Bit 0x400 goes before its restart: 0x2 stays for others, and what listens with both keeps accepting."""
    serve(others, LISTENER)
    _proc.write_sysctl(_proc.FASTOPEN, "3", str(others.host.root / "proc"))
    ask(others, "present", LISTENER)
    assert others.host.sysctl() == "1027"
    values, start = [], others.host._start
    monkeypatch.setattr(others.host, "_start", lambda unit: (values.append(others.host.sysctl()), start(unit)))
    planned = ask(others, "plain", LISTENER, run="", check=True)
    real = ask(others, "plain", LISTENER, run="")
    assert (values, others.host.sysctl()) == (["3"], "3")
    assert planned.differs == real.differs


def test_unit_that_did_not_come_down_stays_known(mixed, monkeypatch):
    """Its restart failed, so its process is still the one under TFO: the next way down takes it off."""
    ask(mixed, "present", FLAG)
    ask(mixed, "present", LISTENER)
    systemctl = mixed.host._systemctl
    refused = (1, "Failed to restart: Access denied")
    monkeypatch.setattr(
        mixed.host, "_systemctl", lambda verb, *rest: refused if verb == "restart" else systemctl(verb, *rest)
    )
    result = mixed.ask("plain", "server", services=[], run="")
    assert (result.outcome, set(_record.load().units)) == ("failed", {FLAG, LISTENER})
    monkeypatch.setattr(mixed.host, "_systemctl", systemctl)
    again = mixed.ask("plain", "server", services=[], run="")
    assert (again.outcome, again.reasons, _record.load().units) == ("plain", [], {})
    assert sorted(restarts(mixed)[-2:]) == sorted([FLAG, LISTENER])
    assert "--fast-open" not in argv(mixed, FLAG)


def test_stopped_service_is_not_started(stage, side):
    """No change is no event."""
    bring(stage, side, "confirmed")
    stage.host._systemctl("stop", UNITS[side])
    result = stage.ask("plain", side, run="")
    assert (result.outcome, UNITS[side] in stage.host.running) == ("plain", False)
    assert stage.places(side) == []


def test_failed_service_is_brought_back(stage, side):
    """It died under TFO; plain it lives."""
    bring(stage, side, "stepped")
    stage.host._stop(UNITS[side])
    stage.host.failed.add(UNITS[side])
    assert stage.ask("plain", side).outcome == "plain"
    assert stage.observe() == stage.plain


def test_service_that_does_not_answer_plain(stage, side):
    """Failed, and said why: it is down, but not proven."""
    bring(stage, side, "stepped")
    stage.host.answers = False
    result = stage.ask("plain", side)
    assert (result.outcome, stage.flagged(side)) == ("failed", False)
    assert ("timed out" if side == "client" else "takes no connection on port 8388") in result.reasons[0]


def test_service_that_does_not_come_up(stage, side):
    """The others and the kernel go on."""
    bring(stage, side, "stepped")
    stage.host.broken.add(UNITS[side])
    result = stage.ask("plain", side)
    assert result.outcome == "failed"
    assert any("does not come up: ERROR: the last words" in reason for reason in result.reasons)
    assert (stage.places(side), stage.host.sysctl()) == ([], "1")


def test_service_that_may_not_make_its_namespace(stage, side):
    """LXC without nesting: named where it is proven plain, also by a way down that has nothing to restart."""
    stage.host.told[UNITS[side]] = {"ActiveState": "activating", "SubState": "auto-restart", "ExecMainStatus": "226"}
    result = stage.ask("plain", side, run="")
    assert result.outcome == "failed"
    assert f"{UNITS[side]} is activating (auto-restart): 226/NAMESPACE: " in result.reasons[0]


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
@pytest.mark.parametrize("text", ["{", "[1]", '{"units": 5}', '{"units": {"ss-local@main.service": {}}}', ODD])
@pytest.mark.parametrize("name", ["record.json", "lease.json"])
def test_damaged_files_of_ours(stage, side, state, name, text):
    """What is kept stands in nobody's way: drop-ins and processes tell enough; then nothing is left of it."""
    bring(stage, side, state)
    folder = stage.host.state_dir if name == "record.json" else stage.host.run_dir
    stage.host.put(folder / name, text.replace("{", '{"run": "x", ', 1) if name == "lease.json" else text)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.places(side), stage.flagged(side)) == ("failed", [], False)
    assert f"{name} is damaged" in str(result.reasons)
    assert stage.ask("plain", side, run="").outcome == "plain"


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
@pytest.mark.parametrize("name", ["record.json", "lease.json"])
def test_files_of_ours_that_cannot_be_read(stage, side, state, name, monkeypatch):
    """A disk that is failing: likewise, whoever asks."""
    bring(stage, side, state)
    real = _files.read

    def fails(path):
        if path.endswith(f"/{name}"):
            raise OSError(5, "Input/output error", path)
        return real(path)

    monkeypatch.setattr(_files, "read", fails)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.places(side), stage.flagged(side)) == ("failed", [], False)
    assert f"{name} cannot be read (Input/output error)" in str(result.reasons)
    assert _cli.main(["off"]) == 1


def test_undone_that_was_edited_by_hand(stage, side):
    """It is damaged, and no traceback in the middle of a way down."""
    bring(stage, side, "confirmed")
    path = stage.host.state_dir / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "undone": {UNITS[side]: {"side": side}}}))
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.places(side), stage.flagged(side)) == ("failed", [], False)
    assert "record.json is damaged" in result.reasons[0]


def test_who_is_proven_plain(both):
    """What is named though nothing of ours is on it; what is not named and not under TFO is not asked."""
    both.ask("present", "server")
    both.host.answers = False
    result = both.ask("plain", "server", run="", services=[])
    assert result.reasons == [f"{UNITS['server']} takes no connection on port 8388"]
    assert both.ask("plain", "client", run="", services=[]).outcome == "plain"
    assert both.ask("plain", "client", run="").outcome == "failed"


def test_flag_that_nobody_keeps(stage, side):
    """Files and record are gone, the process is as before: a named service restarts, one with its own flag does not."""
    bring(stage, side, "stepped")
    for path in (_drop_in.path(UNITS[side], _drop_in.STEPPED), stage.host.run_dir / "lease.json"):
        os.unlink(path)
    stage.host._systemctl("daemon-reload")
    assert stage.flagged(side)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.flagged(side)) == ("plain", False)
    own = stage.host.unit_dir / f"{UNITS[side]}.d/own.conf"
    command = " ".join(stage.host.processes[stage.host.running[UNITS[side]]].argv)
    stage.host.put(own, f"[Service]\nExecStart=\nExecStart={command} --fast-open\n")
    stage.host._systemctl("daemon-reload")
    stage.host._systemctl("restart", UNITS[side])
    pids = dict(stage.host.running)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.host.running) == ("failed", pids)
    assert result.reasons == [f"{UNITS[side]} still runs with --fast-open"]


def test_kernel_that_cannot_be_set(server, monkeypatch):
    """Failed; the service is plain and the line is gone all the same."""
    bring(server, "server", "confirmed")

    def refuse(*_arguments):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(_proc, "write_sysctl", refuse)
    result = server.ask("plain", "server", run="")
    assert (result.outcome, server.flagged("server"), server.boot()) == ("failed", False, None)
    assert "/proc/sys/net must be writable" in result.reasons[0]


def test_bit_of_a_step_that_cannot_be_cleared_now(server, monkeypatch):
    """It is still known as ours when the lease is gone, and the next way down clears it."""
    bring(server, "server", "stepped")

    def refuse(*_arguments):
        raise PermissionError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(_proc, "write_sysctl", refuse)
        assert server.ask("plain", "server").outcome == "failed"
        _lease.expire(_record.load_lease())
    assert server.ask("plain", "server", run="").outcome == "plain"
    assert server.host.sysctl() == "1"


def test_line_that_cannot_be_put_back(server, monkeypatch):
    """Failed, and said; it is still known as ours, and the next time it goes."""
    bring(server, "server", "confirmed")

    def refuse(_boot):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(_switch, "persist", refuse)
        result = server.ask("plain", "server", run="")
    assert (result.outcome, server.host.sysctl(), server.boot()) == ("failed", "1", "3")
    assert "Read-only file system" in result.reasons[0]
    assert server.ask("plain", "server", run="").outcome == "plain"
    assert server.observe() == server.plain


def test_line_that_was_changed_since(server):
    """Somebody else's by now: it stays."""
    bring(server, "server", "confirmed")
    file = server.host.root / "etc/sysctl.d/99-tfo.conf"
    file.write_text(file.read_text().replace("= 3", "= 5"))
    assert server.ask("plain", "server", run="").outcome == "plain"
    assert (server.boot(), server.host.sysctl()) == ("5", "1")


def test_nothing_can_be_kept(stage, side, monkeypatch):
    """A full disk: down all the same, and said."""
    bring(stage, side, "confirmed")

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_record, "store", full)
    monkeypatch.setattr(_record, "store_lease", full)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.flagged(side), stage.host.sysctl()) == ("plain", False, "1")
    assert "cannot be kept" in str(result.reasons)


def test_no_lock(stage, side, monkeypatch):
    """/run is read-only: the way down waits for nobody, the way up does not begin."""
    bring(stage, side, "confirmed")

    def refuse():
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(_lock, "hold", refuse)
    assert stage.ask("plain", side, run="").outcome == "plain"
    assert not stage.flagged(side)
    with pytest.raises(OSError, match="Read-only"):
        stage.ask("stepped", side)


def test_drop_in_that_cannot_be_removed(stage, side, monkeypatch):
    """Failed, with its path."""
    bring(stage, side, "confirmed")

    def refuse(_unit, _folder):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(_drop_in, "remove", refuse)
    result = stage.ask("plain", side, run="")
    assert result.outcome == "failed"
    assert "zz-fastopen.conf cannot be removed: Read-only file system" in str(result.reasons)


@pytest.mark.parametrize(("memory", "kept"), [("add", ["new", "old"]), ("keep", ["old"]), ("forget", [])])
def test_memory(server, memory, kept):
    """Who is left alone by later runs."""
    old = {"side": "server", "by": "guard", "when": "w", "why": "y"}
    other = {**old, "side": "client"}
    _record.store(_record.Record(undone={"old.service": old, "other.service": other}))
    server.ask("stepped", "server", retry=True)
    server.ask("plain", "server", memory=memory, why="slower")
    undone = _record.load().undone
    names = {UNITS["server"]: "new", "old.service": "old"}
    assert sorted(names[unit] for unit in undone if unit in names) == kept
    assert undone["other.service"] == other
    if memory == "add":
        one = undone[UNITS["server"]]
        assert (one["side"], one["by"], one["why"]) == ("server", "rollout", "slower")


def test_only_the_units_that_are_meant(both):
    """The guard takes one unit off; the other keeps TFO and what it needs."""
    for side in ("server", "client"):
        both.ask("present", side)
    result = _down.down(_down.Descent("guard", "SYNs lost", units=[UNITS["client"]], memory="add"), check=False)
    assert (result.outcome, both.flagged("server"), both.flagged("client")) == ("plain", True, False)
    assert list(_record.load().undone) == [UNITS["client"]]
