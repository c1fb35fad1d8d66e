# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call is killed before every edge that it has; the next event finds what really is, and ends where it should."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
TEMPLATES = {"server": "ss-server@.service", "client": "ss-local@.service"}
BITS = {"server": "3", "client": "1"}
LASTS = {"server": "3", "client": None}
HALF = ".half.fastopen-new"


class Killed(BaseException):
    """SIGKILL, in memory."""


EDGES = [(_systemd, "_run"), (_files, "write"), (_files, "remove"), (_proc, "write_sysctl")]


def kill_at(patch, number):
    """Die before the n-th thing that changes the host. Whoever is dead does nothing in a finally either; whoever dies
    while writing leaves half a file. Gives a list of the one count."""
    count = [0]

    def wrap(name, function):
        def call(*arguments, **keywords):
            if name == "_run" and "show" in arguments[0]:
                return function(*arguments, **keywords)
            count[0] += 1
            if count[0] == number and name == "write":
                Path(os.path.dirname(arguments[0]), HALF).touch()
            if count[0] >= number:
                raise Killed
            return function(*arguments, **keywords)

        return call

    for module, name in EDGES:
        patch.setattr(module, name, wrap(name, getattr(module, name)))
    return count


class Life:
    """One turn of a sweep: a host that is brought somewhere, and a call of a run of its own."""

    def __init__(self, stage, side, number):
        self.stage, self.side, self.run = stage, side, f"run{number}"

    def ask(self, state, **change):
        """What the run asks for."""
        return self.stage.ask(state, self.side, **{"run": self.run, **change})

    def to(self, *states):
        """Bring it there."""
        for state in states:
            assert self.ask(state).outcome == state

    def changed_below(self):
        """Confirmed, and its ExecStart is another one since."""
        self.to("stepped", "confirmed")
        template = self.stage.host.unit_dir / TEMPLATES[self.side]
        template.write_text(template.read_text().replace(" -c ", " -v -c "))
        self.stage.host._systemctl("daemon-reload")

    def stepped_too_long(self):
        """Stepped, and the lease has ended."""
        self.to("stepped")
        self.stage.end_lease()

    def is_stepped(self):
        """As after a step."""
        stage, side = self.stage, self.side
        assert (stage.places(side), stage.flagged(side), stage.host.sysctl()) == (["stepped"], True, BITS[side])
        assert (list(stage.lease()["units"]), stage.boot()) == ([UNITS[side]], None)
        assert f"{stage.lease()['timer']}.timer" in stage.host.transient

    def is_confirmed(self):
        """As after a confirmation."""
        stage, side = self.stage, self.side
        assert (stage.places(side), stage.flagged(side), stage.host.sysctl()) == (["confirmed"], True, BITS[side])
        assert (stage.lease().get("units", {}), stage.boot()) == ({}, LASTS[side])
        assert list(_record.load().units) == [UNITS[side]]

    def is_plain(self):
        """No TFO of ours, and what runs is what the unit says."""
        stage, side = self.stage, self.side
        assert (stage.places(side), stage.flagged(side), stage.host.sysctl()) == ([], False, "1")
        assert (stage.lease().get("units", {}), stage.boot(), _record.load().units) == ({}, None, {})

    def is_off(self):
        """Plain, and remembered as taken off."""
        self.is_plain()
        assert list(_record.load().undone) == [UNITS[self.side]]

    def is_killed(self):
        """0x2 is off and stays off."""
        assert (self.stage.host.sysctl(), self.stage.boot()) == ("1", None)
        assert _record.load().killed is not None

    def reboot(self):
        """What is in /run and in the kernel goes; the units start as their files say."""
        host = self.stage.host
        for folder in (host.run_unit_dir, host.run_dir):
            shutil.rmtree(folder, ignore_errors=True)
        host.run_unit_dir.mkdir()
        host.transient.clear()
        _proc.write_sysctl(_proc.FASTOPEN, self.stage.boot() or "1", str(host.root / "proc"))
        host._systemctl("daemon-reload")
        host._systemctl("restart", UNITS[self.side])


def call(*words):
    """Have the program on the host do it."""
    assert _cli.main([*words]) == 0


ACTIONS = {
    "claim": (lambda one: None, lambda one: one.to("claimed"), Life.is_plain),
    "step": (lambda one: None, lambda one: one.to("stepped"), Life.is_stepped),
    "step again": (lambda one: one.to("stepped"), lambda one: one.to("stepped"), Life.is_stepped),
    "renew": (Life.changed_below, lambda one: one.ask("stepped"), Life.is_stepped),
    "confirm": (lambda one: one.to("stepped"), lambda one: one.to("confirmed"), Life.is_confirmed),
    "present": (lambda one: None, lambda one: one.ask("present", run="role-1"), Life.is_confirmed),
    "revert": (lambda one: one.to("stepped"), lambda one: one.to("plain"), Life.is_plain),
    "rollback": (lambda one: one.to("stepped", "confirmed"), lambda one: one.ask("plain", run=""), Life.is_plain),
    "off": (lambda one: one.to("stepped", "confirmed"), lambda one: call("off"), Life.is_off),
    "off stepped": (lambda one: one.to("stepped"), lambda one: call("off"), Life.is_off),
    "expire": (Life.stepped_too_long, lambda one: call("expire", one.run), Life.is_off),
}
SERVER_ACTIONS = {
    "kill": (lambda one: one.to("stepped", "confirmed"), lambda one: one.ask("killed", run=""), Life.is_killed),
    "kill stepped": (lambda one: one.to("stepped"), lambda one: one.ask("killed", run=""), Life.is_killed),
}
CASES = [("server", action) for action in [*ACTIONS, *SERVER_ACTIONS]] + [("client", action) for action in ACTIONS]


def again(one, act, is_there):
    """The same call once more."""
    act(one)
    is_there(one)


def lease_ends(one, _act, _is_there):
    """Whatever is not confirmed then is undone, and has a timer that does it."""
    lease = one.stage.lease()
    if lease.get("units"):
        assert f"{lease['timer']}.timer" in one.stage.host.transient
        one.stage.end_lease()
        call("expire", lease["run"])
        one.is_plain()
    elif one.stage.flagged(one.side):
        assert list(_record.load().units) == [UNITS[one.side]]


def reboots(one, _act, is_there):
    """Nothing that was only stepped comes up again, and what comes up has the bits that it needs."""
    confirmed = UNITS[one.side] in _record.load().units
    one.reboot()
    assert confirmed or not one.stage.flagged(one.side)
    if one.stage.flagged(one.side) and is_there is not Life.is_killed:
        assert one.stage.host.sysctl() == BITS[one.side]
    assert "stepped" not in one.stage.places(one.side)


def rolls_back(_one, _act, _is_there):
    """What every turn ends with."""


@pytest.fixture(autouse=True)
def fixture_edges(monkeypatch):
    """No time passes, and nothing waits for a disk."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.mark.parametrize("then", [again, lease_ends, reboots, rolls_back])
@pytest.mark.parametrize(("side", "action"), CASES)
def test_killed_at_every_edge(request, side, action, then):
    """Nothing of it is left after a rollback, whatever came before."""
    stage = request.getfixturevalue(side)
    prepare, act, is_there = {**ACTIONS, **SERVER_ACTIONS}[action]
    template = stage.host.unit_dir / TEMPLATES[side]
    text = template.read_text()
    number, died = 0, True
    while died:
        number += 1
        one = Life(stage, side, number)
        prepare(one)
        with pytest.MonkeyPatch.context() as patch:
            count = kill_at(patch, number)
            with contextlib.suppress(Killed):
                act(one)
        died = count[0] >= number
        then(one, act, is_there)
        assert stage.ask("plain", side, run="", memory="forget").outcome == "plain", number
        if stage.ask("lifted", side, run="").changed:
            stage.ask("plain", side, run="")
        if template.read_text() != text:
            template.write_text(text)
            stage.host._systemctl("daemon-reload")
            stage.host._systemctl("restart", UNITS[side])
        assert stage.observe() == stage.plain, number
        assert (stage.lease(), stage.host.state_dir.exists(), stage.host.program.parent.exists()) == ({}, False, False)
        assert not list(stage.host.root.rglob(HALF)), number
        stage.host.transient.clear()
    assert number > 3
