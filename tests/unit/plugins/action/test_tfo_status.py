# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook status, run by the real ansible-playbook, and its action."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_status
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_status as documented
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._run_journal import (
    RUN,
    end,
    plan,
    wave,
)

ENDED = [wave("batch 1", "begin", ss1=""), end("", {}, ss1="promoted")]


@pytest.fixture
def journal(tmp_path):
    """Begin the journal of a run that writes these events now."""

    def begin(*events):
        path = _journal.start(str(tmp_path), "rollout", {})
        for event in (plan(), *events):
            _journal.append(path, event)
        return path

    return begin


@pytest.fixture
def playbook(tmp_path):
    """Start the playbook status in a folder of its own."""

    def start(*arguments, callback="fastopen.shadowsocks.rollout"):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        collections = {"ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")}
        (tmp_path / "ansible.cfg").touch()
        plain = {
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STDOUT_CALLBACK": callback,
        }
        plain["ANSIBLE_LOCALHOST_WARNING"] = plain["ANSIBLE_INVENTORY_UNPARSED_WARNING"] = "false"
        return subprocess.Popen(
            ["ansible-playbook", "fastopen.shadowsocks.status", "-e", f"rollout_report_dir={tmp_path}", *arguments],
            env={**kept, **collections, **plain},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
        )

    return start


def test_newest_journal(run, journal, tmp_path):
    """Of rollouts, not of audits; another one by its path."""
    older = journal(*ENDED)
    time.sleep(0.002)  # the name of a journal tells milliseconds
    newer = journal()
    _journal.start(str(tmp_path), "audit", {"rows": []})
    result = run(tfo_status, {}, report_dir=str(tmp_path))
    assert (result["journal"], result["changed"]) == (newer, False)
    assert (result["status"]["run"], result["status"]["ended"]) == (RUN, False)
    assert not result["status"]["died"]
    assert result["lines"][0] == f"Journal: {newer}"
    assert run(tfo_status, {}, report_dir=str(tmp_path), journal=older)["status"]["ended"]


def test_no_journal(run, tmp_path):
    """Where it looked, and what to give."""
    with pytest.raises(AnsibleActionFail, match=f"no journal of a rollout in {tmp_path}.*-e status_journal=FILE"):
        run(tfo_status, {}, report_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "the journal cannot be read: No such file"),
        ("{", "its first line is no JSON mapping"),
        ('{"kind": "audit"}', "it is not the journal of a rollout"),
        ('{"kind": "rollout"}', "its run has not told its plan yet"),
        ('{"kind": "rollback"}', "this is no journal of a rollout or an audit"),
        ('{"kind": "rollout"}\n{"time": "2026-', "the plan of its run is not in it. The journal is not whole: 1 line"),
    ],
)
def test_journal_that_cannot_be_read(run, tmp_path, text, said):
    """By its path, and why."""
    path = tmp_path / "other.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match=f"{path}: .*{said}"):
        run(tfo_status, {}, report_dir=str(tmp_path), journal=str(path))


def test_every_key_is_documented(run, journal, tmp_path):
    """RETURN names what is returned."""
    journal()
    status = run(tfo_status, {}, report_dir=str(tmp_path))["status"]
    assert set(status) == set(yaml.safe_load(documented.RETURN)["status"]["contains"])


@pytest.mark.parametrize("callback", ["fastopen.shadowsocks.rollout", "ansible.builtin.default"])
def test_playbook(playbook, journal, callback):
    """On the controller alone, without an inventory."""
    path = journal(*ENDED)
    started = playbook(callback=callback)
    shown, errors = started.communicate(timeout=60)
    assert (started.returncode, errors) == (0, "")
    assert f"Journal: {path}" in shown
    assert f"Run {RUN}, begun " in shown


def test_playbook_refuses_what_it_cannot_read(playbook):
    """Through the one door."""
    shown, errors = playbook("-e", "status_watch=maybe").communicate(timeout=60)
    assert "status_watch: 'maybe' is not true or false" in shown + errors


def read_until(started, text):
    """The lines that it shows up to one with this text."""
    lines = []
    for line in started.stdout:
        lines.append(line.rstrip())
        if text in line:
            return lines
    raise AssertionError((lines, started.stderr.read()))


def test_playbook_that_watches(playbook, journal):
    """Each change as it comes, not when the task ends; the end of the run ends it."""
    path = journal()
    started = playbook("-e", "status_watch=true")
    read_until(started, "Next: nothing to do")
    for event in ENDED:
        _journal.append(path, event)
        read_until(
            started, "the run has ended" if event["step"] == "end" else "waits for the measurement before the step"
        )
    shown = started.stdout.read()  # communicate() would lose what read_until has read ahead
    assert started.wait(timeout=60) == 0
    assert "Ended " in shown


def test_watch_is_interrupted(playbook, journal):
    """By Ctrl-C: it ends at once, and leaves no process and no trace of Python behind."""
    journal()
    started = playbook("-e", "status_watch=true")
    read_until(started, "Next: nothing to do")
    time.sleep(1)  # a worker that is killed while it sends a line keeps ansible-core 2.19 waiting, whatever the task is
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text("ascii").split()
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    shown, errors = started.communicate(timeout=60)
    assert started.returncode == 99
    assert "Traceback" not in shown + errors
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, (children, json.dumps(shown + errors))
        time.sleep(0.05)
