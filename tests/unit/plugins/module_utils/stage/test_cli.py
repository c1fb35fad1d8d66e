# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program on the host says and does at a console, and when a timer calls it."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _drop_in, _lock, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def told(capsys):
    """What the program said."""
    return capsys.readouterr().out


def test_status(stage, side, capsys):
    """For people line by line, for programs as JSON: what is under TFO, by whom the host is held."""
    assert _cli.main(["status"]) == 0
    assert "no service is under TFO by us" in told(capsys)
    stage.ask("stepped", side)
    _cli.main(["status"])
    text = told(capsys)
    assert f"{UNITS[side]}: {'accept' if side == 'server' else 'send'}, stepped" in text
    assert "held by run run1 of me@here since" in text
    stage.ask("confirmed", side)
    _cli.main(["status", "--json"])
    found = json.loads(told(capsys))
    (unit,) = found["units"]
    assert (unit["state"], unit["flag"], unit["problems"]) == ("confirmed", True, [])
    assert (found["value"], found["claim"]["run"]) == (3 if side == "server" else 1, "run1")


def test_status_names_what_was_done_by_hand(stage, side, capsys):
    """A drop-in that is gone, one below ours that changed, a process without the flag."""
    stage.ask("present", side)
    own = stage.host.unit_dir / f"{UNITS[side]}.d/override.conf"
    program = "ss-server" if side == "server" else "ss-local"
    config = f"{stage.host.config_dir}/{program}-main.json"
    stage.host.put(own, f"[Service]\nExecStart=\nExecStart=/usr/bin/{program} -v -c {config}\n")
    stage.host._systemctl("daemon-reload")
    _cli.main(["status"])
    assert f"! ExecStart below our drop-in changed in {own}" in told(capsys)
    own.unlink()
    (stage.host.unit_dir / f"{UNITS[side]}.d/zz-fastopen.conf").unlink()
    stage.host._systemctl("daemon-reload")
    _cli.main(["status"])
    assert "zz-fastopen.conf is gone" in told(capsys)


@pytest.mark.parametrize("command", ["status", "off"])
@pytest.mark.parametrize(("state", "folder"), [("present", "FOLDER"), ("stepped", "RUN_FOLDER")])
def test_another_user_than_root(stage, side, state, folder, command, monkeypatch, capsys):
    """Whoever cannot read what is kept, of a step only below /run, is told that, and no half of it."""
    stage.ask(state, side)
    kept = getattr(_record, folder)
    monkeypatch.setattr(_cli.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(_cli.os, "access", lambda path, mode: path != kept)
    assert _cli.main([command]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "fastopen: needs root (sudo): nobody else can read what is kept here\n")


def test_folder_that_root_cannot_read(client, monkeypatch, capsys):
    """Something keeps root from it, a file system with an error, say: that stops no way down."""
    client.ask("present", "client")
    monkeypatch.setattr(_cli.os, "geteuid", lambda: 0)
    monkeypatch.setattr(_cli.os, "access", lambda path, mode: path != _record.FOLDER)
    _cli.main(["off"])
    assert (client.flagged("client"), client.places("client")) == (False, [])


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_off(stage, side, state, capsys):
    """Plain, proven, kept: a rollout skips it until it is told to try again, and the run that was on is told."""
    stage.ask("stepped", side)
    if state == "confirmed":
        stage.ask("confirmed", side)
    assert _cli.main(["off", "--why", "slow since noon"]) == 0
    assert "plain, and proven so" in told(capsys)
    assert stage.observe() == stage.plain
    assert (stage.lease(), stage.host.transient) == ({}, set())
    late = stage.ask("confirmed", side)
    assert late.outcome == "refused"
    assert "slow since noon" in late.reasons[0]
    assert stage.ask("stepped", side, run="run2").outcome == "skipped"
    assert stage.ask("stepped", side, run="run2", retry=True).outcome == "stepped"


@pytest.mark.parametrize("command", [["off"], ["undo", *UNITS.values()]])
def test_why_of_another_character_set(stage, side, command, capsys):
    """A byte that is no UTF-8 is shown as one: a lone surrogate in the record would end every look of Ansible at this host."""
    stage.ask("present", side)
    assert _cli.main([*command, "--why", os.fsdecode(b"caf\xe9 und Tee")]) == 0
    assert _record.load().undone[UNITS[side]]["why"] == r"caf\xe9 und Tee"
    told(capsys)


def test_guard_takes_one_unit_off(both, capsys):
    """Also while a run holds the host, which reads it as reverted."""
    both.ask("present", "server")
    both.ask("stepped", "client")
    assert _cli.main(["undo", "--why", "SYNs lost", UNITS["client"]]) == 0
    assert (both.flagged("server"), both.flagged("client")) == (True, False)
    late = both.ask("confirmed", "client")
    assert late.outcome == "reverted"
    assert "SYNs lost" in late.reasons[0]
    told(capsys)


def test_expire(stage, side, capsys):
    """Only the lease of that run, only once it has ended."""
    stage.ask("stepped", side)
    assert _cli.main(["expire", "run1"]) == 0
    assert stage.places(side) == ["stepped"]  # renewed since the timer was set
    stage.end_lease()
    assert _cli.main(["expire", "another"]) == 0
    assert stage.places(side) == ["stepped"]
    assert _cli.main(["expire", "run1"]) == 0
    assert stage.observe() == stage.plain
    assert "carries --fast-open" in told(capsys)
    assert _record.load().undone[UNITS[side]]["by"] == "lease"
    assert _cli.main(["expire", "run1"]) == 0
    assert "the step was undone" in stage.ask("confirmed", side).reasons[0]


def test_expire_of_a_claim(stage, side):
    """Nothing to undo: the host is free."""
    stage.ask("claimed", side)
    stage.end_lease()
    assert _cli.main(["expire", "run1"]) == 0
    assert (stage.lease(), stage.host.transient) == ({}, set())


def test_way_down_that_is_not_proven(stage, side, capsys):
    """The exit status and the last line say so."""
    stage.ask("stepped", side)
    stage.host.answers = False
    assert _cli.main(["off"]) == 1
    assert "NOT proven plain" in told(capsys)


def test_damaged_record(stage, capsys):
    """A message, no traceback."""
    stage.host.put(stage.host.state_dir / "record.json", "{")
    assert _cli.main(["status"]) == 1
    assert "record.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1", "1 (may send)"),
        ("3", "3 (may send, accepts)"),
        ("1027", "1027 (may send, accepts, all listeners)"),
        ("0", "0 (off)"),
        (None, "no TCP Fast Open"),
    ],
)
def test_kernel_in_words(server, capsys, value, words):
    """What the bits mean, and what sets them at boot."""
    path = server.host.root / "proc/sys/net/ipv4/tcp_fastopen"
    path.write_text(f"{value}\n") if value else path.unlink()
    assert _cli.main(["status"]) == 0
    assert told(capsys).splitlines()[:2] == [f"kernel   {words}", "at boot  1 (may send), by the kernel itself"]


def test_status_of_all_that_can_be(both, capsys):
    """The boot's file, a stopped service, what was undone, and the kill switch."""
    both.ask("present", "server")
    both.ask("present", "client")
    assert _cli.main(["undo", "--by", "operator", "--why", "slow", UNITS["client"]]) == 0
    both.ask("killed", "server", run="", who="ops@desk")
    both.host.put(both.host.root / "etc/sysctl.d/x.conf", "net.ipv4.tcp_fastopen = 5\n")
    both.host._systemctl("stop", UNITS["server"])
    told(capsys)
    _cli.main(["status"])
    text = told(capsys)
    assert "at boot  5 (may send), by /etc/sysctl.d/x.conf" in text
    assert f"{UNITS['server']}: accept, confirmed, not running" in text
    assert f"{UNITS['client']}: taken off by operator at " in text and ": slow\n" in text
    assert "kill switch on since " in text and ", by ops@desk" in text


def test_off_on_a_plain_host(stage, capsys):
    """Nothing to do, nothing changed, nothing remembered."""
    assert _cli.main(["off"]) == 0
    assert (told(capsys), stage.observe()) == ("plain, and proven so\n", stage.plain)
    assert _record.load() == _record.Record()


def test_off_of_one_of_two_steps(both, capsys):
    """The run keeps the other one, and goes on with it."""
    both.ask("stepped", "server")
    both.ask("stepped", "client")
    assert _cli.main(["undo", "--why", "SYNs lost", UNITS["client"]]) == 0
    assert list(both.lease()["units"]) == [UNITS["server"]]
    assert both.ask("confirmed", "server").outcome == "confirmed"
    told(capsys)


def test_unit_that_is_not_under_tfo(stage, capsys):
    """Nothing happens to it."""
    assert _cli.main(["undo", "--why", "x", "sshd.service"]) == 0
    assert (stage.observe(), stage.host.done) == (stage.plain, [])
    told(capsys)


def test_way_down_without_the_lock(stage, side, monkeypatch, capsys):
    """Said, and done all the same."""
    stage.ask("stepped", side)
    monkeypatch.setattr(_lock, "SECONDS", 0.05)
    with _lock.hold():
        assert _cli.main(["off"]) == 0
    assert "going on without the lock: " in capsys.readouterr().err
    assert not stage.flagged(side)


@pytest.mark.parametrize("text", ["{", "[1]", '{"run": "run1", "units": 5}'])
def test_expire_of_a_damaged_lease(stage, side, text, capsys):
    """Nobody can tell what it covered: what lives in /run only comes down, what is confirmed stays."""
    stage.ask("stepped", side)
    stage.host.put(stage.host.run_dir / "lease.json", text)
    assert _cli.main(["expire", "run1"]) == 1
    assert "lease.json is damaged" in capsys.readouterr().err
    assert (stage.places(side), stage.flagged(side), stage.lease()) == ([], False, {})
    assert _record.load().undone[UNITS[side]]["by"] == "lease"
    stage.ask("present", side, retry=True, run="run2")
    stage.host.put(stage.host.run_dir / "lease.json", text)
    _cli.main(["expire", "run1"])
    assert (stage.places(side), stage.flagged(side)) == (["confirmed"], True)


def test_expire_over_a_damaged_record(stage, side, capsys):
    """The step comes down all the same."""
    stage.ask("stepped", side)
    stage.end_lease()
    stage.host.put(stage.host.state_dir / "record.json", "{")
    assert _cli.main(["expire", "run1"]) == 1
    assert "record.json is damaged" in capsys.readouterr().err
    assert (stage.places(side), stage.flagged(side), stage.host.sysctl(), stage.lease()) == ([], False, "1", {})


def test_expire_that_cannot_be_through(stage, side, monkeypatch, capsys):
    """systemd refuses to reload while /run has no room: it is told to start the program again, and that goes on."""
    stage.ask("stepped", side)
    stage.end_lease()
    real = _systemd.systemctl

    def full(*words):
        if words == ("daemon-reload",):
            raise _systemd.SystemdError("Refusing to reload, not enough space available on /run/systemd.")
        return real(*words)

    with monkeypatch.context() as patch:
        patch.setattr(_systemd, "systemctl", full)
        for _time in range(2):
            status = _cli.main(["expire", "run1"])
            assert (stage.flagged(side), list(stage.lease()["units"])) == (True, [UNITS[side]])
    assert "not enough space" in capsys.readouterr().err
    command, *_others = [line for line in stage.host.done if line.startswith("systemd-run")]
    assert f"--property=RestartForceExitStatus={status}" in command
    assert _cli.main(["expire", "run1"]) == 0
    assert (stage.observe(), stage.lease()) == (stage.plain, {})


def test_expire_where_nothing_can_be_kept(stage, side, monkeypatch, capsys):
    """It is undone once, and not again and again: the lease goes all the same."""
    stage.ask("stepped", side)
    stage.end_lease()
    real = _files.write

    def full(path, *arguments):
        if path.startswith(_record.RUN_FOLDER):
            raise OSError(28, "No space left on device", path)
        real(path, *arguments)

    monkeypatch.setattr(_files, "write", full)
    assert _cli.main(["expire", "run1"]) == 0
    assert (stage.observe(), stage.lease()) == (stage.plain, {})
    told(capsys)


def test_expire_of_a_renewed_lease(stage, side):
    """The old timer, should it still run, finds a lease that lives."""
    stage.ask("stepped", side, lease_seconds=1.0)
    stage.end_lease()
    stage.ask("claimed", side, lease_seconds=90.0)
    before = stage.observe()
    assert _cli.main(["expire", "run1"]) == 0
    assert (stage.observe(), list(stage.lease()["units"])) == (before, [UNITS[side]])


def test_expire_of_a_confirmed_step(stage, side):
    """It stays; what a killed confirmation left in /run goes, and so does the claim."""
    stage.ask("stepped", side)
    text = open(_drop_in.path(UNITS[side], _drop_in.STEPPED), encoding="utf-8").read()
    stage.ask("confirmed", side)
    stage.host.put(_drop_in.path(UNITS[side], _drop_in.STEPPED), text)
    stage.end_lease()
    assert _cli.main(["expire", "run1"]) == 0
    assert (stage.places(side), stage.flagged(side), stage.lease()) == (["confirmed"], True, {})
