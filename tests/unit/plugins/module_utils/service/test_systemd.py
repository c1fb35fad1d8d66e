# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemctl, answered by a program on PATH that notes how it was called."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd

RUNNING = """\
MainPID=4711
Id=ss-server@main.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
NRestarts=2
Result=success
"""
MISSING = """\
MainPID=0
Id=nosuch.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
"""


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Make systemctl answer with this output and exit status; gives the calls."""
    calls = tmp_path / "calls"

    def answer(out: str, code: int = 0, err: str = ""):
        (tmp_path / "out").write_text(out)
        (tmp_path / "err").write_text(err)
        program = tmp_path / "systemctl"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> {calls}\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit {code}\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return lambda: calls.read_text().splitlines()

    return answer


def test_show(systemctl):
    """One call for any number of units, each in its own block."""
    calls = systemctl(RUNNING + "\n" + MISSING)
    units = _systemd.show(["ss-server@main.service", "nosuch.service"])
    assert len(calls()) == 1
    assert calls()[0].startswith("--no-ask-password show --property=Id,")
    assert calls()[0].endswith(" ss-server@main.service nosuch.service")
    assert units["ss-server@main.service"] == _systemd.Unit(
        "ss-server@main.service", "loaded", "active", "running", "enabled", 4711, False, 2, "success"
    )
    assert units["nosuch.service"] == _systemd.Unit("nosuch.service")


def test_show_an_alias(systemctl):
    """Whoever asks by another name of a unit is answered by that name; systemctl tells the real one."""
    systemctl(RUNNING + "\n" + MISSING)
    units = _systemd.show(["old.service", "nosuch.service"])
    assert list(units) == ["old.service", "nosuch.service"]
    assert (units["old.service"].name, units["old.service"].pid) == ("ss-server@main.service", 4711)


def test_show_a_pattern(systemctl):
    """What it matches is told by its own name."""
    systemctl(RUNNING + "\n" + RUNNING.replace("main", "two"))
    assert list(_systemd.show(["ss-server@*.service"])) == ["ss-server@main.service", "ss-server@two.service"]


def test_show_nothing():
    """systemctl show without units would show systemd itself, so it is not called."""
    assert _systemd.show([]) == {}


@pytest.mark.parametrize(
    ("change", "active"),
    [
        ({}, True),
        ({"SubState": "auto-restart", "ActiveState": "activating"}, False),
        ({"SubState": "exited"}, False),
        ({"SubState": "failed", "ActiveState": "failed"}, False),
    ],
)
def test_active(change, active):
    """Waiting for the next automatic restart is not running."""
    text = "".join(
        f"{key}={change.get(key, value)}\n" for key, value in (row.split("=") for row in RUNNING.splitlines())
    )
    assert _systemd.parse_show(text)[0].active is active


@pytest.mark.parametrize(
    ("state", "enabled"), [("enabled", True), ("disabled", False), ("static", False), ("masked", False), ("", False)]
)
def test_enabled(state, enabled):
    """Only a unit that starts at boot counts."""
    (unit,) = _systemd.parse_show(RUNNING.replace("UnitFileState=enabled", f"UnitFileState={state}"))
    assert unit.enabled is enabled


def test_reload_is_needed():
    """systemd's own word for a unit file newer than what it loaded."""
    text = RUNNING.replace("NeedDaemonReload=no", "NeedDaemonReload=yes")
    assert _systemd.parse_show(text)[0].needs_reload is True


def test_failure(systemctl):
    """The message tells command, status and answer, in one line."""
    systemctl("", 5, "Failed to start nosuch.service: Unit nosuch.service not found.\nSee system logs.\n")
    with pytest.raises(_systemd.SystemdError) as caught:
        _systemd.systemctl("start", "nosuch.service")
    message = str(caught.value)
    assert "'systemctl --no-ask-password start nosuch.service' failed with 5" in message
    assert "Unit nosuch.service not found. See system logs.; see journalctl" in message


@pytest.mark.parametrize("told", ["247 (247.3-7+deb11u6)", "252 (252.39-1~deb12u1)", "~257", "1000"])
def test_new_enough(systemctl, told):
    """By what it says first; who says nothing of the kind is let in."""
    systemctl(f"systemd {told}\n+PAM +AUDIT\n")
    _systemd.require()


@pytest.mark.parametrize("told", ["239 (239-82.el8)", "245 (245.4-4ubuntu3.24)", "246"])
def test_too_old(systemctl, told):
    """It is named, and what is needed."""
    systemctl(f"systemd {told}\n+PAM +AUDIT\n")
    with pytest.raises(_systemd.SystemdError, match=f"systemd is {told[:3]} on this host, .* needs 247 or later"):
        _systemd.require()


def test_no_systemd(tmp_path, monkeypatch):
    """A host without systemd is told so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(_systemd.SystemdError, match="not on this host"):
        _systemd.systemctl("daemon-reload")


def test_conditions_that_do_not_hold(tmp_path, monkeypatch):
    """Those of whoever asks are not the unit's: the program of a lease has fewer capabilities than systemd."""
    told = [
        "ConditionPathExists=/run/x",
        "ConditionCapability=CAP_SYS_ADMIN",
        "AssertFileNotEmpty=|/etc/y",
        "ConditionEnvironment=A",
    ]
    lines = [f"echo 'a.service: {one} failed.' >&2" for one in told]
    (tmp_path / "systemd-analyze").write_text("\n".join(["#!/bin/sh", *lines, "exit ${STATUS:-1}"]))
    (tmp_path / "systemd-analyze").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _systemd.unmet("a.service") == "ConditionPathExists=/run/x, AssertFileNotEmpty=|/etc/y"
    monkeypatch.setenv("STATUS", "0")  # one of several that begin with | is enough
    assert _systemd.unmet("a.service") == ""
