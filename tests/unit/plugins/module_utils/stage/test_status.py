# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is under, and what was done to it by hand since."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _lease, _record, _status

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def problems():
    """Those of the only unit."""
    (unit,) = _status.observe()["units"]
    return unit["problems"]


def test_nothing(stage):
    """A plain host."""
    found = _status.observe()
    assert (found["value"], found["boot_value"], found["boot_file"]) == (1, 1, None)
    assert (found["units"], found["claim"], found["kill_switch"], found["undone"]) == ([], None, None, {})
    assert stage.host.done == []


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_unit(stage, side, state):
    """Each with its stage, its state, and nothing that is wrong."""
    stage.ask("stepped", side)
    stage.ask(state, side)
    assert _status.observe()["units"] == [
        {
            "unit": UNITS[side],
            "side": side,
            "stage": {"server": "accept", "client": "send"}[side],
            "state": state,
            "active": True,
            "flag": True,
            "flagged": True,
            "problems": [],
        }
    ]


def test_listener(server):
    """No drop-in and no flag, and that is right."""
    server.ask("present", "server", mode="listener")
    (unit,) = _status.observe()["units"]
    assert (unit["state"], unit["flag"], unit["problems"]) == ("confirmed", False, [])
    _proc.write_sysctl(_proc.FASTOPEN, "3", str(server.host.root / "proc"))
    assert problems() == ["net.ipv4.tcp_fastopen is 3, and a service needs bits 0x400 of it, too"]


def test_drop_in_that_nobody_keeps(stage, side):
    """The record is lost: the file tells the side."""
    stage.ask("present", side)
    (stage.host.state_dir / "record.json").unlink()
    (unit,) = _status.observe()["units"]
    assert (unit["side"], unit["state"]) == (side, "unknown")


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_drop_in_that_is_gone(stage, side, state):
    """Named with its path: in /run or in /etc."""
    stage.ask(state, side)
    folder = _drop_in.STEPPED if state == "stepped" else _drop_in.CONFIRMED
    os.unlink(_drop_in.path(UNITS[side], folder))
    stage.host._systemctl("daemon-reload")
    assert problems() == [f"{_drop_in.path(UNITS[side], folder)} is gone"]


def test_drop_in_that_was_edited(stage, side):
    """Named once, and not as something that changed below it."""
    stage.ask("present", side)
    path = Path(_drop_in.path(UNITS[side], _drop_in.CONFIRMED))
    path.write_text(path.read_text().replace(" --fast-open", " -v --fast-open"))
    assert problems() == [f"{path} was edited by hand"]


def test_file_that_wins_over_ours(stage, side):
    """Why the drop-in does nothing; the command is not shown."""
    stage.ask("present", side)
    own = stage.host.unit_dir / f"{UNITS[side]}.d/zzz.conf"
    stage.host.put(own, "[Service]\nExecStart=\nExecStart=/usr/bin/ss-local -k s3cret-marker\n")
    stage.host._systemctl("daemon-reload")
    (problem,) = problems()
    assert f"{own} sets ExecStart and comes after zz-fastopen.conf" in problem
    assert "s3cret-marker" not in problem


def test_service_that_does_not_run(stage, side):
    """It has no flag then, and is not running."""
    stage.ask("present", side)
    stage.host._systemctl("stop", UNITS[side])
    (unit,) = _status.observe()["units"]
    assert (unit["active"], unit["flag"]) == (False, False)
    assert unit["problems"] == ["its process runs without --fast-open"]


def test_flag_that_came_twice(stage, side, monkeypatch):
    """Named before a restart would end it."""
    stage.ask("present", side)
    monkeypatch.setattr(_status._twice, "setter", lambda unit, below: f"ARGS of {unit} {below.program}")
    (problem,) = problems()
    program = UNITS[side].partition("@")[0]
    assert problem.startswith(
        f"ARGS of {UNITS[side]} {program} gives --fast-open as well, and {program} does not start"
    )


@pytest.mark.parametrize(
    ("value", "killed", "missing"),
    [
        ("3", False, ""),
        ("1", False, "0x2"),
        ("2", False, "0x1"),
        ("0", False, "0x3"),
        ("1", True, ""),
        ("0", True, "0x1"),
    ],
)
def test_bits_that_somebody_cleared(server, value, killed, missing):
    """Those that a service needs; 0x2 may be off while the kill switch is on."""
    server.ask("present", "server")
    if killed:
        server.ask("killed", "server", run="")
    _proc.write_sysctl(_proc.FASTOPEN, value, str(server.host.root / "proc"))
    said = f"net.ipv4.tcp_fastopen is {value}, and a service needs bits {missing} of it, too"
    assert problems() == ([said] if missing else [])
    assert (_status.observe()["kill_switch"] is not None) is killed


@pytest.mark.parametrize(("line", "value"), [("3", 3), ("0x403", 0x403), ("on", None)])
def test_boot(server, line, value):
    """By which file; None where the kernel will refuse what it says."""
    server.host.put(server.host.root / "etc/sysctl.d/50-x.conf", f"net.ipv4.tcp_fastopen = {line}\n")
    found = _status.observe()
    assert (found["boot_value"], found["boot_file"]) == (value, "/etc/sysctl.d/50-x.conf")


def test_kernel_without_tcp_fast_open(server):
    """No value, and no failure."""
    (server.host.root / "proc/sys/net/ipv4/tcp_fastopen").unlink()
    assert _status.observe()["value"] is None


def test_claim_and_what_was_undone(stage, side):
    """Who holds the host and for how long; a lease that has ended holds nothing."""
    stage.ask("stepped", side, lease_seconds=90.0)
    claim = _status.observe()["claim"]
    assert (claim["run"], claim["who"], 80 < claim["ends_in_seconds"] <= 90) == ("run1", "me@here", True)
    stage.end_lease()
    assert _status.observe()["claim"] is None
    stage.ask("plain", side, memory="add", why="slower")
    assert [one["why"] for one in _status.observe()["undone"].values()] == ["slower"]
    assert _record.load().units == {}


def test_intended(stage, side):
    """What was confirmed, also while it is stepped anew; not what is only stepped, nor what somebody took back."""
    stages = {"server": "accept", "client": "send"}

    def intended():
        return _status.observe()["intended"][side]

    stage.ask("stepped", side)
    assert intended() == "off"
    stage.ask("confirmed", side)
    assert intended() == stages[side]
    Path(_drop_in.path(UNITS[side], _drop_in.CONFIRMED)).unlink()
    assert stage.ask("stepped", side).outcome == "stepped"
    assert (intended(), _record.load().units) == (stages[side], {})
    stage.end_lease()
    _lease.expire(_record.load_lease())
    assert (intended(), _record.load().undone[UNITS[side]]["by"]) == (stages[side], "lease")
    stage.ask("plain", side, run="run2")
    assert intended() == "off"


def test_killed_is_not_intended(server):
    """Whatever was confirmed."""
    server.ask("present", "server")
    server.ask("killed", "server")
    found = _status.observe()
    assert (found["intended"]["server"], found["boot_agrees"]) == ("off", True)


def test_boot_that_disagrees(server):
    """Another file wins at the next boot: a problem of the host, beside those of its units."""
    server.ask("present", "server")
    assert (_status.observe()["boot_agrees"], _status.problems(_status.observe())) == (True, [])
    server.host.put(server.host.root / "etc/sysctl.d/zz-somebody.conf", "net.ipv4.tcp_fastopen = 1\n")
    found = _status.observe()
    assert not found["boot_agrees"]
    (problem,) = _status.problems(found)
    assert "the next boot sets net.ipv4.tcp_fastopen to 1, by" in problem
