# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this, and whether the process that began a journal is there still."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _process


def test_process_that_is_gone():
    """It is as long as it is waited for."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        told = _process.process(child.pid)
        assert not _process.gone(told)
    assert _process.gone(told)


@pytest.mark.parametrize("change", [0, 1])
def test_process_elsewhere(change):
    """Of another boot or machine, or in a container with ids of its own, nothing is known."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        parts = _process.process(child.pid).split(" ")
    parts[change] += "x"
    assert not _process.gone(" ".join(parts))


def test_process_of_somebody_else(monkeypatch):
    """It may not be asked, so it is there."""

    def kill(_pid, _signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert not _process.gone(_process.process(os.getpid()))


@pytest.mark.parametrize("told", ["x", "boot pid:[1] x", "boot pid:[1] \u00b2", f"{'9' * 5000}", "1"])
def test_what_is_no_process(told):
    """Nothing is known of it."""
    assert not _process.gone(told)


def test_process_that_no_machine_has():
    """Its number is too large."""
    boot, space, _pid = _process.process(os.getpid()).split(" ")
    assert not _process.gone(f"{boot} {space} {2**40}")


def test_machine_that_does_not_tell(monkeypatch):
    """The lease has to do."""

    def readlink(_path):
        raise FileNotFoundError

    monkeypatch.setattr(os, "readlink", readlink)
    assert _process.process(os.getpid()) == ""
    assert not _process.gone("")


def test_user_without_a_name(monkeypatch):
    """A container run by any number; who is named by the environment is that."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1234567)
    assert _process.who().startswith("1234567@")
    monkeypatch.setenv("USER", "ops")
    assert _process.who().startswith("ops@")
