# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way down, from whatever state, killed at any point, with nothing in its way."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc, _ss_processes
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _down, _drop_in, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


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


def test_bits_that_were_there_before_stay(server):
    """Only what we raised goes back."""
    _proc.write_sysctl(_proc.FASTOPEN, "3", str(server.host.root / "proc"))
    server.ask("stepped", "server")
    server.ask("plain", "server")
    assert server.host.sysctl() == "3"


def test_bit_that_another_process_needs(client, monkeypatch):
    """0x1 stays under it, and that is said; it is no failure."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    client.ask("stepped", "client")
    other = _ss_processes.FastOpenProcess(7, "sslocal", "fast_open is true in /x")
    monkeypatch.setattr(_ss_processes, "find", lambda proc: [other])
    result = client.ask("plain", "client")
    assert (result.outcome, client.host.sysctl()) == ("plain", "1")
    assert "sslocal (pid 7)" in result.reasons[0]


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


BROKEN = {
    "record": ("record.json", "is damaged"),
    "lease": ("lease.json", "is damaged"),
}


@pytest.mark.parametrize(("name", "message"), BROKEN.values(), ids=BROKEN)
def test_damaged_files_of_ours(stage, side, name, message):
    """What is kept stands in nobody's way: drop-ins and processes tell enough."""
    bring(stage, side, "confirmed")
    folder = stage.host.state_dir if name == "record.json" else stage.host.run_dir
    stage.host.put(folder / name, "{")
    result = stage.ask("plain", side, run="")
    assert (stage.places(side), stage.flagged(side)) == ([], False)
    assert message in str(result.reasons)


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

    monkeypatch.setattr(_record, "lock", refuse)
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


class Killed(BaseException):
    """SIGKILL, in memory."""


EDGES = [(_systemd, "_run"), (_files, "write"), (_files, "remove"), (_proc, "write_sysctl")]


def kill_at(monkeypatch, number):
    """Die before the n-th thing that changes the host; True once it did."""
    count = [0]

    def wrap(function):
        def call(*arguments, **keywords):
            if "show" not in str(arguments[:1]):
                count[0] += 1
                if count[0] == number:
                    raise Killed
            return function(*arguments, **keywords)

        return call

    for module, name in EDGES:
        monkeypatch.setattr(module, name, wrap(getattr(module, name)))
    return count


@pytest.mark.parametrize("action", ["stepped", "confirmed", "plain"])
@pytest.mark.parametrize("then", ["again", "lease", "rollback"])
def test_killed_at_every_edge(stage, side, action, then):
    """The next event finds what really is, and ends where it should."""
    number, died = 0, True
    while died:
        number += 1
        bring(stage, side, {"stepped": "plain", "confirmed": "stepped", "plain": "confirmed"}[action])
        with pytest.MonkeyPatch.context() as patch:
            count = kill_at(patch, number)
            try:
                stage.ask(action, side)
            except Killed:
                pass
        died = count[0] >= number
        lease = _record.load_lease()
        if then == "again":
            assert stage.ask(action, side).outcome == action, number
        elif then == "lease" and lease and lease.units:
            stage.end_lease()
            assert _cli.main(["expire", "run1"]) == 0
            assert (stage.places(side), stage.flagged(side), stage.host.sysctl()) == ([], False, "1"), number
        assert stage.ask("plain", side, run="", memory="forget").outcome == "plain", number
        assert stage.observe() == stage.plain, number
        _record.store_lease(None)
        if (stage.host.run_dir / "ended.json").exists():
            os.unlink(stage.host.run_dir / "ended.json")
    assert number > 3
