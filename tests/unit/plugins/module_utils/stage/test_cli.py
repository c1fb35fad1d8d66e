# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the host: one file that runs by itself, and what it says and does at a console."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _program, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
REAL_RUN = subprocess.run


def test_build_is_the_same_every_time():
    """So that it is only written when the code is another."""
    assert _program.build(_cli.__name__) == _program.build(_cli.__name__)


def test_it_runs_with_nothing_but_python(tmp_path):
    """Isolated: no PYTHONPATH, no user's packages; only modules of this collection are inside, and none of Ansible's."""
    path = tmp_path / "fastopen"
    path.write_bytes(_program.build(_cli.__name__))
    names = [name for name in zipfile.ZipFile(path).namelist() if not name.endswith("__init__.py")]
    assert all(name.startswith("ansible_collections/fastopen/shadowsocks/") or name == "__main__.py" for name in names)
    sources = zipfile.ZipFile(path)
    assert not [
        name for name in names if b"import ansible.\n" in sources.read(name) or b"from ansible." in sources.read(name)
    ]
    done = REAL_RUN(
        [sys.executable, "-I", str(path), "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert all(command in done.stdout for command in ("status", "off", "undo", "expire"))


def test_install(fake_host):
    """Once, executable, and again only where it was changed."""
    assert _program.install(_cli.__name__) is True
    assert _program.install(_cli.__name__) is False
    assert fake_host.program.stat().st_mode & 0o777 == 0o755
    assert fake_host.program.read_bytes().startswith(f"#!{sys.executable}\n".encode())
    fake_host.program.write_bytes(b"x")
    assert _program.install(_cli.__name__) is True


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


def test_guard_takes_one_unit_off(both, capsys):
    """Also while a run holds the host, which reads it as reverted."""
    both.ask("present", "server")
    both.ask("stepped", "client")
    assert _cli.main(["undo", "--why", "SYNs lost", UNITS["client"]]) == 0
    assert (both.flagged("server"), both.flagged("client")) == (True, False)
    late = both.ask("confirmed", "client")
    assert late.outcome == "refused"
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
