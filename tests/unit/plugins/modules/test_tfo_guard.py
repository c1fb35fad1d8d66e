# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard comes and goes: once, with check mode and diff, and past what somebody else has put there."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _metrics, _state, _tick, _units
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record, _stage
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Request
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_guard

TIMER = "fastopen-guard.timer"


@pytest.fixture(name="guard")
def fixture_guard(run_module):
    """Call the module."""
    return lambda **arguments: run_module(tfo_guard.main, **arguments)


def test_present(fake_host, guard, monkeypatch):
    """Units, tick and program; enabled and started; nothing the second time."""
    monkeypatch.setattr(_python, "lasting", lambda: "/system/python3")
    before = fake_host.tree()
    shown = guard(check=True)
    assert (shown["changed"], fake_host.tree(), fake_host.done) == (True, before, [])
    assert any("OnUnitInactiveSec=30" in part["after"] for part in shown["diff"])
    assert guard()["changed"]
    assert fake_host.waiting == {TIMER}
    service = (fake_host.unit_dir / "fastopen-guard.service").read_text()
    tick = fake_host.program.parent / "guard"
    assert f"ExecStart=/system/python3 -I -S {tick}\n" in service
    assert "NoNewPrivileges=yes" in service
    assert (tick.read_text(), tick.stat().st_mode & 0o777) == (open(_tick.__file__, encoding="utf-8").read(), 0o755)
    assert fake_host.program.exists()
    fake_host.done.clear()
    again = guard()
    assert (again["changed"], again["differs"], fake_host.done) == (False, [], [])
    assert (guard(check=True)["changed"], fake_host.done) == (False, [])


def test_changes(fake_host, guard):
    """Another interval, the way back, metrics: the timer counts anew."""
    guard()
    fake_host.done.clear()
    service = fake_host.unit_dir / "fastopen-guard.service"
    assert guard(undo=False)["changed"]
    assert "/guard --watch\n" in service.read_text()
    wanted = {"return": True, "hold_seconds": 60, "textfile_directory": "/srv/metrics"}
    assert guard(interval_seconds=60, **wanted)["changed"]
    assert "/guard --return --hold=60 --textfile=/srv/metrics\n" in service.read_text()
    assert fake_host.done[-1] == f"restart {TIMER}"


def test_systemd_that_is_too_old(fake_host, guard):
    """Nothing is written; what is there can go."""
    guard()
    fake_host.systemd = 246
    before = fake_host.tree()
    assert "systemd is 246 on this host" in guard(interval_seconds=60)["msg"]
    assert fake_host.tree() == before
    assert guard(state="absent")["changed"]


@pytest.mark.parametrize("spoil", ["stop", "disable"])
def test_started_again(fake_host, guard, spoil):
    """Where somebody stopped it, or took it from the boot."""
    guard()
    fake_host._systemctl(spoil, TIMER)
    assert guard()["changed"]
    assert (fake_host.waiting, guard()["changed"]) == ({TIMER}, False)


def test_absent(fake_host, guard, tmp_path):
    """Everything goes, metrics too; and nothing the second time."""
    before = fake_host.tree()
    folder = tmp_path / "metrics"
    folder.mkdir()
    guard(textfile_directory=str(folder))
    (folder / _metrics.NAME).write_text(_tick.MARK)
    _state.store(_state.Kept())
    _tick.write({"at": 1.0}, _state.tick_path())
    assert guard(state="absent", check=True)["changed"]
    assert fake_host.waiting == {TIMER}
    fake_host.failed.add(_units.SERVICE)  # what a look is that was stopped in the middle
    assert guard(state="absent")["changed"]
    assert (fake_host.waiting, fake_host.failed, fake_host.tree()) == (set(), set(), before)
    assert list(folder.iterdir()) == []
    for path in (fake_host.state_dir, fake_host.run_dir, fake_host.program.parent):
        assert not path.exists()
    fake_host.done.clear()
    assert (guard(state="absent")["changed"], fake_host.done) == (False, [])


class Killed(BaseException):
    """SIGKILL, in memory."""


def counted(left, function):
    """The function, which is killed once it changed something as often as is left."""

    def call(*arguments):
        if "show" in arguments[0] or "--version" in arguments[0]:
            return function(*arguments)
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return function(*arguments)

    return call


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("then", ["present", "absent"])
def test_killed_in_the_middle(fake_host, guard, tmp_path, monkeypatch, number, then):
    """Whoever comes next finds what is left of it, and what systemd has not read."""
    before = fake_host.tree()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        guard(textfile_directory=str(tmp_path / name))
        (tmp_path / name / _metrics.NAME).write_text(_tick.MARK)
        _state.store(_state.Kept())
        left = [number]

        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            for module, edge in ((_systemd, "_run"), (_files, "write"), (_files, "remove")):
                patch.setattr(module, edge, counted(left, getattr(module, edge)))
            arguments = {"state": "absent"} if then == "absent" else {"textfile_directory": str(tmp_path / "c")}
            guard(**arguments)
    (tmp_path / "c").mkdir()
    if then == "present":
        guard(textfile_directory=str(tmp_path / "c"))
        assert not guard(textfile_directory=str(tmp_path / "c"))["changed"]
        assert not any(unit.needs_reload for unit in _systemd.show([_units.SERVICE, TIMER]).values())
    guard(state="absent")
    assert fake_host.tree() == before
    assert not list(tmp_path.rglob(_metrics.NAME))
    for path in (fake_host.state_dir, fake_host.run_dir, fake_host.program.parent):
        assert not path.exists()


def test_two_at_a_time(fake_host, guard, monkeypatch):
    """One waits for the other."""
    monkeypatch.setattr(_lock, "SECONDS", 0.1)
    before = fake_host.tree()
    with _lock.hold():
        assert "is held" in guard()["msg"]
    assert fake_host.tree() == before


def test_metrics_that_move(fake_host, guard, tmp_path):
    """The old file goes, for nobody writes it any more; somebody else's stays."""
    for name, text in (("a", _tick.MARK), ("b", "mine 1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / _metrics.NAME).write_text(text)
    guard(textfile_directory=f"{tmp_path}/a")
    assert guard(textfile_directory=f"{tmp_path}/b")["changed"]
    assert not (tmp_path / "a" / _metrics.NAME).exists()
    guard()
    assert (tmp_path / "b" / _metrics.NAME).read_text() == "mine 1\n"
    assert not guard()["changed"]


@pytest.mark.parametrize("name", ["fastopen-guard.service", "fastopen-guard.timer"])
@pytest.mark.parametrize("where", ["unit_dir", "lib_unit_dir"])
def test_units_of_somebody_else(fake_host, guard, name, where):
    """Refused by name, and left alone on the way out, too."""
    path = getattr(fake_host, where) / name
    fake_host.put(path, "[Unit]\nDescription=mine\n")
    before = fake_host.tree()
    refused = guard()
    assert refused["failed"] and str(path) in refused["msg"]
    assert not guard(state="absent")["changed"]
    assert (fake_host.tree(), fake_host.waiting) == (before, set())


@pytest.mark.parametrize("check", [True, False])
def test_rollback_of_everything(fake_host, guard, check):
    """The guard goes along, and that is said; a rollback of less leaves it, and its program."""
    guard()
    request = Request("client", memory="keep")
    _stage.run("plain", request, check=False)
    assert (fake_host.waiting, fake_host.program.exists()) == ({TIMER}, True)
    result = _stage.run("plain", Request("client", memory="forget"), check=check)
    assert {"what": "guard", "name": str(fake_host.unit_dir / TIMER), "why": "is removed"} in result.differs
    assert (fake_host.waiting == {TIMER}, fake_host.program.exists()) == (check, check)
    assert _record.load() == _record.Record()
