# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that fails leaves the host as it was, whatever fails and whatever was there."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import subprocess

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _back,
    _deploy,
    _deployment,
    _files,
    _observe,
    _restart,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER, SERVER_SERVICE

OTHER_SERVICE = {**SERVER_SERVICE, "name": "other", "instance": "other", "server_port": 8389}
BOTH = _observe.Wanted("server", [SERVER_SERVICE, OTHER_SERVICE])
RENAMED = _observe.Wanted("server", [{**SERVER_SERVICE, "name": "new", "instance": "new"}], prune=True)
IN_RUST = dataclasses.replace(RENAMED, services=[{**RENAMED.services[0], "implementation": "rust"}])
UNIT, OTHER = "ss-server@main.service", "ss-server@other.service"


def changed(**change):
    """Both, the first one otherwise."""
    return dataclasses.replace(BOTH, services=[{**SERVER_SERVICE, **change}, OTHER_SERVICE])


@pytest.fixture
def deployed(fake_host):
    """Both run."""
    _deploy.deploy(BOTH, check=False)
    fake_host.done.clear()
    return fake_host


def fail(host, wanted, seen=None):
    """The first service does not come up with another config than this."""
    seen = seen or _observe.observe(wanted)
    host.broken.add(UNIT)
    with pytest.raises(_apply.ApplyError) as caught:
        _apply.apply(_deployment.compare(wanted, seen), wanted, seen)
    return str(caught.value)


def test_service_that_ran_all_along(deployed):
    """It was only to start at boot from now on, so it is not stopped for what became of another one."""
    deployed._systemctl("disable", OTHER)
    pid = deployed.running[OTHER]
    fail(deployed, changed(password="new"))
    assert deployed.running.get(OTHER) == pid
    assert not deployed._wants(OTHER).is_symlink()


def test_service_that_did_not_start_at_boot(deployed):
    """And does not so after it was restarted for nothing."""
    deployed._systemctl("disable", UNIT)
    before = deployed.tree()
    fail(deployed, changed(password="new"))
    assert deployed.tree() == before


def test_stopped_service_that_did_not_start_at_boot(deployed):
    """systemd has forgotten it meanwhile, and has nothing of it to reset."""
    deployed._systemctl("disable", OTHER)
    before = deployed.tree()
    fail(deployed, dataclasses.replace(BOTH, services=[{**SERVER_SERVICE, "password": "new"}], prune=True))
    assert OTHER in deployed.running
    assert deployed.tree() == before


def test_failure_before_any_restart(deployed, monkeypatch):
    """What runs has not noticed, and goes on; a file of which only the mode changed is not newer than its reader."""
    running = dict(deployed.running)
    kept = deployed.config_dir / "ss-server-other.json"
    os.chmod(kept, 0o600)
    written = os.stat(kept).st_mtime_ns
    wanted = changed(password="new")
    seen = _observe.observe(wanted)

    def faulty(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_restart, "stop", faulty)
    with pytest.raises(_apply.ApplyError, match="No space left on device; files are put back"):
        _apply.apply(_deployment.compare(wanted, seen), wanted, seen)
    assert deployed.running == running
    assert (os.stat(kept).st_mtime_ns, stat.S_IMODE(os.stat(kept).st_mode)) == (written, 0o600)


def test_service_that_was_tried_again_and_again(deployed):
    """What it waits for may come: it is not stopped for good."""
    wanted = changed(password="new")
    seen = _observe.observe(wanted)
    waits = dataclasses.replace(seen.units[UNIT], active_state="activating", sub_state="auto-restart")
    fail(deployed, wanted, dataclasses.replace(seen, units={**seen.units, UNIT: waits}))
    assert deployed.done[-1] == f"restart {UNIT}"


@pytest.mark.parametrize("where", ["stop", "show", "restart"])
def test_systemd_that_does_not_answer(deployed, monkeypatch, where):
    """Files are put back all the same, and each thing that is not is told."""
    before = deployed.tree()
    systemctl = _systemd.systemctl
    failed = []

    def silent(verb, *arguments):
        if verb == "restart" or (failed and verb == where):
            failed.append(verb)
            raise _systemd.SystemdError(f"{verb}: Connection timed out")
        return systemctl(verb, *arguments)

    wanted = dataclasses.replace(changed(password="new"), services=[{**SERVER_SERVICE, "name": "new"}], prune=True)
    seen = _observe.observe(wanted)
    monkeypatch.setattr(_systemd, "systemctl", silent)
    with pytest.raises(_apply.ApplyError, match="not put back: .*Connection timed out"):
        _apply.apply(_deployment.compare(wanted, seen), wanted, seen)
    assert deployed.tree() == before


class PowerCut(BaseException):
    """Nothing runs after it."""


def cut_off_after(number, patch, *edges):
    """The power is cut once these functions (module, name) have been called so often, all together."""
    left = [number]

    def counted(action):
        def run(*arguments):
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            return action(*arguments)

        return run

    for module, name in edges:
        patch.setattr(module, name, counted(getattr(module, name)))


def failed(host, wanted=RENAMED):
    """The first service goes and one by another name comes, which does not come up: how far that came."""
    host.broken.add("ss-server@new.service")
    seen = _observe.observe(wanted)
    plan = _deployment.compare(wanted, seen)
    with pytest.raises(_apply.ApplyError, match="new.service does not come up"):
        _apply._carry_out(plan, wanted, seen, None)
    return plan, seen


def boots_with(host):
    """The services that start at boot and have a config, which their template's program can read."""
    links = host.unit_dir.glob("multi-user.target.wants/ss-server@*")
    names = {link.name.removeprefix("ss-server@").removesuffix(".service") for link in links}
    configs = {name: host.config_dir / f"ss-server-{name}.json" for name in names}
    rust = "ssserver" in (host.unit_dir / "ss-server@.service").read_text()
    return {
        name for name, path in configs.items() if path.exists() and rust is ("servers" in json.loads(path.read_text()))
    }


@pytest.mark.parametrize("wanted", [RENAMED, IN_RUST], ids=["renamed", "in rust"])
@pytest.mark.parametrize("number", range(12))
def test_cut_off_on_the_way_back(deployed, monkeypatch, number, wanted):
    """Wherever that is, the host boots with what ran before, or with what was to come."""
    plan, seen = failed(deployed, wanted)
    cut_off_after(number, monkeypatch, (_files, "restore"), (_files, "remove"), (_systemd, "systemctl"))
    with pytest.raises(PowerCut):
        _back.put_back(plan, seen)
    assert boots_with(deployed) & {"main", "new"}


@pytest.mark.parametrize("wanted", [RENAMED, IN_RUST], ids=["renamed", "in rust"])
def test_systemd_that_goes_down(deployed, monkeypatch, wanted):
    """It does nothing any more, as in a reboot, and is not needed: the host boots as if nothing had been."""
    before = deployed.tree()
    plan, seen = failed(deployed, wanted)

    def refuses(verb, *_arguments):
        raise _systemd.SystemdError(f"{verb}: Transaction is destructive")

    with monkeypatch.context() as patch:
        patch.setattr(_systemd, "systemctl", refuses)
        assert "not put back: daemon-reload: Transaction is destructive" in _back.put_back(plan, seen)
    assert deployed.tree() == before
    assert boots_with(deployed) == {"main", "other"}
    deployed.broken.clear()
    assert _deploy.deploy(wanted, check=False).changed  # and the same again is not stopped by what was left
    assert boots_with(deployed) == {"new"}


LISTED = dataclasses.replace(BOTH, services=[{**SERVER_SERVICE, "acl": "[white_list]"}, OTHER_SERVICE])


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("back", [False, True], ids=["goes", "does not come"])
def test_cut_off_while_an_access_list_goes(deployed, monkeypatch, number, back):
    """No drop-in asks for a list that is not there, and what is left is ours: nobody is told to move it away."""
    if back:
        seen = _observe.observe(LISTED)
        plan = _deployment.compare(LISTED, seen)
        _apply._carry_out(plan, LISTED, seen, None)
    else:
        _deploy.deploy(LISTED, check=False)
    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        cut_off_after(number, patch, (_files, "remove"), (_files, "hide"), (_files, "put"))
        if back:
            _back.put_back(plan, seen)
        else:
            _deploy.deploy(BOTH, check=False)
        raise PowerCut
    drop_in = deployed.unit_dir / f"{UNIT}.d/acl.conf"
    assert not drop_in.exists() or (deployed.config_dir / "ss-server-main.acl").exists()
    assert _deploy.deploy(LISTED, check=True).refused == []
    _deploy.deploy(BOTH, check=False)
    assert not list(deployed.root.rglob("*acl*"))


def test_full_disk_on_the_way_back(deployed, monkeypatch):
    """What has gone cannot be written any more, so what took its place stays, and runs."""
    seen = _observe.observe(RENAMED)
    plan = _deployment.compare(RENAMED, seen)
    _apply._carry_out(plan, RENAMED, seen, None)

    def full(path, *_arguments):
        raise OSError(28, "No space left on device", path)

    with monkeypatch.context() as patch:
        patch.setattr(_files, "prepare", full)
        assert any("No space left on device" in problem for problem in _back.put_back(plan, seen))
    assert boots_with(deployed) >= {"new"}
    assert "ss-server@new.service" in deployed.running
    assert _deploy.deploy(RENAMED, check=False).refused == []
    assert boots_with(deployed) == {"new"}


def test_fault_of_ours(deployed, monkeypatch):
    """It shows as what it is, and the host is as it was."""
    before = deployed.tree()

    def faulty(*_arguments):
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    with monkeypatch.context() as patch:
        wanted = changed(password="new")
        seen = _observe.observe(wanted)
        patch.setattr(_restart, "restart", faulty)
        with pytest.raises(UnicodeDecodeError):
            _apply.apply(_deployment.compare(wanted, seen), wanted, seen)
    assert deployed.tree() == before


@pytest.fixture
def journal(fake_host, monkeypatch):
    """What the services have written, as bytes."""
    lines = []
    run = fake_host.run

    def answer(command, **options):
        if command[0] == "journalctl":
            assert not options.get("text"), "what a service writes need not be text"
            return subprocess.CompletedProcess(command, 0, b"\n".join(lines), b"")
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", answer)
    return lines


def test_journal_that_is_no_text(deployed, journal):
    """A plugin may write anything."""
    journal.append(b"\xff\xfe cannot resolve")
    before = deployed.tree()
    assert "\ufffd\ufffd cannot resolve" in fail(deployed, changed(password="new"))
    assert deployed.tree() == before


def test_journal_with_secrets_of_both_configs(deployed, journal):
    """The one that came and the one that was there; a plugin tells of its options one by one."""
    plugin = {"plugin": "v2ray-plugin", "plugin_opts": f"tls;host=cdn.example;path=/{MARKER}-path"}
    _deploy.deploy(changed(**plugin, password=f"{MARKER}-old"), check=False)
    journal += [f"password {MARKER}-{which}".encode() for which in ("old", "new")]
    journal += [f"listening at /{MARKER}-path".encode()]
    text = fail(deployed, changed(password=f"{MARKER}-new"))
    assert text.count("does not come up") == 2  # the new one, and the old one after it
    assert MARKER not in text
    assert "listening at ********" in text


def test_folder_of_the_configs(deployed):
    """Its mode and owner, too."""
    os.chmod(deployed.config_dir, 0o700)
    fail(deployed, changed(password="new"))
    assert stat.S_IMODE(os.stat(deployed.config_dir).st_mode) == 0o700


def test_killed_before_the_folder_is_readable(fake_host, monkeypatch):
    """It is ours already, so the next run makes it readable."""

    def killed(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_files, "set_attributes", killed)
        with pytest.raises(KeyboardInterrupt):
            _deploy.deploy(BOTH, check=False)
    assert _deploy.deploy(BOTH, check=True).refused == []
    _deploy.deploy(BOTH, check=False)
    assert UNIT in fake_host.running
