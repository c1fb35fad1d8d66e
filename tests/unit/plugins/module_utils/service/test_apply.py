# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan carried out on a host in memory."""

from __future__ import annotations

import dataclasses
import os
import stat

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _deployment,
    _exec_start,
    _files,
    _observe,
    _owned,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, SERVER_SERVICE

WANTED = _observe.Wanted("server", [SERVER_SERVICE])
GONE = dataclasses.replace(WANTED, services=[], prune=True)
UNIT = "ss-server@main.service"
PACKAGED = "shadowsocks-libev.service"


def bring(wanted):
    """Look, compare and apply; gives the plan and what was there before."""
    seen = _observe.observe(wanted)
    plan = _deployment.compare(wanted, seen)
    _apply.apply(plan, wanted, seen)
    return plan, seen


def asks(**change):
    """Wanted with another service."""
    return dataclasses.replace(WANTED, services=[{**SERVER_SERVICE, **change}])


def argv(fake_host):
    """How the service's process was started."""
    return fake_host.processes[fake_host.running[UNIT]].argv


def under_fast_open(fake_host, folder):
    """What the stage does to a running service, below /etc or /run; gives its drop-in."""
    _unit, below = _exec_start.read(UNIT)
    drop_in = folder / f"{UNIT}.d/zz-fastopen.conf"
    fake_host.put(drop_in, _exec_start.drop_in(below, "server"), below.mode)
    fake_host._systemctl("daemon-reload")
    fake_host._systemctl("restart", UNIT)
    fake_host.done.clear()
    assert argv(fake_host)[-1] == "--fast-open"
    return drop_in


def test_virgin_host(fake_host):
    """Group, mask, files, systemd, in this order, and the second time nothing."""
    bring(WANTED)
    assert fake_host.done == [
        "/usr/bin/groupadd --system shadowsocks",  # by its path: that of a user who became root by su has no sbin
        f"mask --now {PACKAGED}",
        "daemon-reload",
        f"enable {UNIT}",
        f"reset-failed {UNIT}",
        f"restart {UNIT}",
    ]
    assert PACKAGED not in fake_host.running
    assert stat.S_IMODE(os.stat(fake_host.config_dir).st_mode) == 0o750
    config = _files.read(f"{fake_host.config_dir}/ss-server-main.json")
    assert (config.mode, config.uid, config.gid) == (0o640, 0, fake_host.group)
    assert argv(fake_host) == ["/usr/bin/ss-server", "-c", f"{fake_host.config_dir}/ss-server-main.json"]
    fake_host.done.clear()
    plan, _seen = bring(WANTED)
    assert (plan.differs, fake_host.done) == ([], [])


def test_present_group_is_used(fake_host):
    """Some other package may have made it."""
    fake_host.group = 77
    bring(WANTED)
    assert not [command for command in fake_host.done if "group" in command]
    assert _files.read(f"{fake_host.config_dir}/ss-server-main.json").gid == 77


@pytest.mark.parametrize(
    ("wanted", "done"),
    [
        pytest.param(asks(password="new"), [f"reset-failed {UNIT}", f"restart {UNIT}"], id="config"),
        pytest.param(
            dataclasses.replace(WANTED, limit_nofile=99),
            ["daemon-reload", f"reset-failed {UNIT}", f"restart {UNIT}"],
            id="unit: systemd reads it first",
        ),
        pytest.param(
            asks(acl="[white_list]"), ["daemon-reload", f"reset-failed {UNIT}", f"restart {UNIT}"], id="access list"
        ),
        pytest.param(GONE, [f"disable --now {UNIT}", "daemon-reload"], id="removed instance"),
    ],
)
def test_changes(fake_host, wanted, done):
    """Nothing is restarted without need, and every change is complete: a second run finds nothing."""
    bring(WANTED)
    fake_host.done.clear()
    bring(wanted)
    assert fake_host.done == done
    assert _deployment.compare(wanted, _observe.observe(wanted)).differs == []


def test_mode_is_repaired_without_a_restart(fake_host):
    """The process has read its file long ago."""
    bring(WANTED)
    path = f"{fake_host.config_dir}/ss-server-main.json"
    os.chmod(path, 0o600)
    fake_host.done.clear()
    bring(WANTED)
    assert (fake_host.done, _files.read(path).mode) == ([], 0o640)


def test_access_list_goes_with_its_folder(fake_host):
    """But a drop-in of somebody else stays, and so does its folder."""
    folder = fake_host.unit_dir / f"{UNIT}.d"
    bring(asks(acl="[white_list]"))
    bring(WANTED)
    assert not folder.exists()
    bring(asks(acl="[white_list]"))
    fake_host.put(folder / "mine.conf", "[Service]\n")
    bring(WANTED)
    assert os.listdir(folder) == ["mine.conf"]


@pytest.mark.parametrize("folder", ["unit_dir", "run_unit_dir"])
def test_service_under_fast_open(fake_host, folder):
    """The process with the flag is as wanted; a restart for another reason keeps it, and the drop-in as it was."""
    bring(WANTED)
    drop_in = under_fast_open(fake_host, getattr(fake_host, folder))
    kept = _files.read(str(drop_in))
    plan, _seen = bring(WANTED)
    assert (plan.differs, fake_host.done) == ([], [])
    bring(dataclasses.replace(asks(password="new"), limit_nofile=99))
    assert fake_host.done == ["daemon-reload", f"reset-failed {UNIT}", f"restart {UNIT}"]
    assert argv(fake_host)[-1] == "--fast-open"
    assert _files.read(str(drop_in)) == kept


@pytest.mark.parametrize("folder", ["unit_dir", "run_unit_dir"])
def test_removed_instance_leaves_nothing_of_fast_open(fake_host, folder):
    """A new instance of its name starts plain."""
    bring(WANTED)
    drop_in = under_fast_open(fake_host, getattr(fake_host, folder))
    bring(GONE)
    assert fake_host.done == [f"disable --now {UNIT}", "daemon-reload"]
    assert not drop_in.parent.exists()
    bring(WANTED)
    assert "--fast-open" not in argv(fake_host)


def test_removal_killed_on_its_way(fake_host, monkeypatch):
    """The record goes last, so the next run finds what is left of an instance."""
    bring(WANTED)
    drop_in = under_fast_open(fake_host, fake_host.run_unit_dir)

    def killed(path):
        raise KeyboardInterrupt(path)

    for kept in ("ss-server-main.json", "zz-fastopen.conf"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match=kept):
            remove = _files.remove
            patch.setattr(
                _files, "remove", lambda path, kept=kept, remove=remove: killed(path) if kept in path else remove(path)
            )
            bring(GONE)
    bring(GONE)
    assert not drop_in.exists()
    assert _owned.load() == {}
    assert not fake_host.config_dir.exists()


def test_cut_off_between_one_process_and_two(fake_host, monkeypatch):
    """Whenever it loses its power, the host boots with one or with the others, config, template and all."""

    def boots():
        units = [UNIT, "ss-server@main-1.service"]
        configs = [fake_host.config_dir / f"{unit.partition('.')[0].replace('@', '-')}.json" for unit in units]
        whole = [fake_host._wants(unit).is_symlink() and config.exists() for unit, config in zip(units, configs)]
        assert any(whole) and (fake_host.unit_dir / "ss-server@.service").exists()
        seen.append(whole)

    def watched(function):
        def call(*arguments):
            boots()
            answer = function(*arguments)
            boots()
            return answer

        return call

    seen = []
    bring(WANTED)
    for owner, name in ((_systemd, "systemctl"), (_files, "remove"), (_files, "write")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    workers = [{**SERVER_SERVICE, "name": f"main-{number}", "reuse_port": True} for number in (1, 2)]
    bring(dataclasses.replace(WANTED, services=workers))
    assert (seen[0], [True, True] in seen, seen[-1]) == ([True, False], True, [False, True])


def test_removal_without_the_template(fake_host):
    """Somebody removed it by hand: the process is stopped all the same, and nothing starts it at boot."""
    bring(WANTED)
    (fake_host.unit_dir / "ss-server@.service").unlink()
    fake_host._systemctl("daemon-reload")
    bring(GONE)
    assert UNIT not in fake_host.running
    assert not fake_host._wants(UNIT).is_symlink()
    assert _owned.load() == {}
    assert _observe.observe(GONE).others == set()


def test_before_restart(fake_host):
    """It finds the new files, and systemd reads what it writes before anything restarts."""

    def renew():
        assert "LimitNOFILE=99" in (fake_host.unit_dir / "ss-server@.service").read_text()
        assert fake_host.done == []
        fake_host.put(drop_in, drop_in.read_text().replace("--fast-open", "-v --fast-open"))

    bring(WANTED)
    drop_in = under_fast_open(fake_host, fake_host.unit_dir)
    wanted = dataclasses.replace(WANTED, limit_nofile=99)
    seen = _observe.observe(wanted)
    _apply.apply(_deployment.compare(wanted, seen), wanted, seen, renew)
    assert argv(fake_host)[-2:] == ["-v", "--fast-open"]
    calls = []
    seen = _observe.observe(wanted)
    _apply.apply(_deployment.compare(wanted, seen), wanted, seen, lambda: calls.append("called"))
    assert calls == ["called"]


def test_crashed_instance_is_removed(fake_host):
    """Also its failure is forgotten, so that the host is not degraded by a unit that is gone."""
    bring(WANTED)
    fake_host.broken.add(UNIT)
    fake_host._systemctl("restart", UNIT)
    fake_host.done.clear()
    fake_host._stop = lambda unit: fake_host.running.pop(unit, None)  # a failed unit stays failed when it is stopped
    bring(GONE)
    assert fake_host.done == [f"disable --now {UNIT}", f"reset-failed {UNIT}", "daemon-reload"]
    assert not fake_host.failed


@pytest.mark.parametrize(
    ("state", "stopped"), [("activating", True), ("active", True), ("inactive", False), ("failed", False)]
)
def test_unwanted_unit_that_does_not_start_at_boot(fake_host, state, stopped):
    """It is stopped if there is something to stop, also between two automatic restarts."""
    bring(WANTED)
    wanted = GONE
    seen = _observe.observe(wanted)
    unit = dataclasses.replace(seen.units[UNIT], active_state=state, sub_state="auto-restart", file_state="disabled")
    seen = dataclasses.replace(seen, units={**seen.units, UNIT: unit})
    fake_host.done.clear()
    _apply.apply(_deployment.compare(wanted, seen), wanted, seen)
    assert (f"disable --now {UNIT}" in fake_host.done) is stopped


PUT_BACK = "files are put back, and what ran before runs again"


def test_service_that_does_not_come_up(fake_host):
    """The error brings the journal; the host is as it was, the package's own server too."""
    before = fake_host.tree()
    fake_host.broken.add(UNIT)
    with pytest.raises(_apply.ApplyError) as caught:
        bring(WANTED)
    assert str(caught.value) == f"{UNIT} does not come up: ERROR: the last words; {PUT_BACK}"
    assert fake_host.tree() == before
    assert set(fake_host.running) == {PACKAGED}
    assert _owned.load() == {}


@pytest.mark.parametrize("change", [{"password": "new"}, {"server_port": 443, "acl": "[white_list]"}])
def test_change_that_does_not_come_up(fake_host, monkeypatch, change):
    """The old config comes back, and the old service runs again."""
    bring(WANTED)
    before = fake_host.tree()
    start = fake_host._start
    config = f"{fake_host.config_dir}/ss-server-main.json"

    def breaks(unit):
        fake_host.broken = {UNIT} if _files.read(config).content != before[config] else set()
        start(unit)

    monkeypatch.setattr(fake_host, "_start", breaks)
    with pytest.raises(_apply.ApplyError, match=PUT_BACK):
        bring(asks(**change))
    assert fake_host.tree() == before
    assert UNIT in fake_host.running
    assert bring(WANTED)[0].differs == []


def test_change_at_a_full_disk(fake_host, monkeypatch):
    """Also where it is not the service that fails, and what cannot be put back is told."""
    bring(WANTED)
    before = fake_host.tree()
    prepare = _files.prepare
    calls = []

    def full(path, *arguments):
        calls.append(path)
        if len(calls) >= 2:
            raise OSError(28, "No space left on device")
        prepare(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_files, "prepare", full)
        with pytest.raises(_apply.ApplyError, match=f"No space left.*{PUT_BACK}"):
            bring(asks(implementation="rust"))  # which takes a config of rust's and a template that starts rust
        assert [os.path.basename(path) for path in calls] == ["ss-server-main.json", "ss-server@.service"]
    assert fake_host.tree() == before
    monkeypatch.setattr(_files, "restore", lambda path, state: os.listdir("/nonexistent"))
    with pytest.raises(_apply.ApplyError, match="not put back: .*No such file"):
        monkeypatch.setattr(_files, "prepare", lambda *_arguments: os.listdir("/nonexistent"))
        bring(asks(password="new"))


def test_half_of_a_template(fake_host):
    """What a killed run has left of any file of ours goes with the next one."""
    bring(WANTED)
    half = fake_host.unit_dir / ".ss-server@.service.fastopen-new"
    half.touch()
    assert [one["why"] for one in bring(WANTED)[0].differs] == ["was left half-written: it is removed"]
    assert not half.exists()


def test_record_that_cannot_be_kept(fake_host, monkeypatch):
    """By then all is done: what has taken the place of another instance is not taken away again."""
    bring(WANTED)
    other = dataclasses.replace(WANTED, services=[{**SERVER_SERVICE, "name": "other", "instance": "other"}], prune=True)
    store = _owned.store

    def full(units):
        if UNIT not in units:
            raise OSError(28, "No space left on device")
        store(units)

    with monkeypatch.context() as patch:
        patch.setattr(_owned, "store", full)
        with pytest.raises(_apply.ApplyError, match="all is done, but that cannot be kept .*No space left"):
            bring(other)
    assert set(fake_host.running) == {"ss-server@other.service"}
    assert set(_owned.load()) == {UNIT, "ss-server@other.service"}
    bring(other)
    assert set(_owned.load()) == {"ss-server@other.service"}
    assert bring(other)[0].differs == []


def test_removal_that_fails(fake_host, monkeypatch):
    """An instance that was stopped for nothing runs again."""
    other = {**SERVER_SERVICE, "name": "other", "instance": "other", "server_port": 8389}
    bring(WANTED)
    before = fake_host.tree()
    fake_host.broken.add("ss-server@other.service")
    with pytest.raises(_apply.ApplyError, match=PUT_BACK):
        bring(dataclasses.replace(WANTED, services=[other], prune=True))
    assert fake_host.tree() == before
    assert set(fake_host.running) == {UNIT}


def test_udp_has_no_listener_to_wait_for(fake_host):
    """Its unit's state decides."""
    fake_host.listening = None
    bring(asks(mode="udp_only"))
    assert UNIT in fake_host.running
    fake_host.broken.add(UNIT)
    with pytest.raises(_apply.ApplyError, match="does not come up"):
        bring(asks(mode="udp_only", password="new"))


def test_client_listens_on_its_local_port(fake_host):
    """Not on the server's, which is another host's."""
    bring(_observe.Wanted("client", [CLIENT_SERVICE]))
    assert (fake_host.listening(1080), fake_host.listening(8388)) == (True, False)


def test_failing_command(fake_host, monkeypatch):
    """systemctl's answer reaches the user."""
    monkeypatch.setattr(fake_host, "_load_state", lambda unit: "not-found")
    with pytest.raises(_apply.ApplyError, match="not found"):
        bring(WANTED)
