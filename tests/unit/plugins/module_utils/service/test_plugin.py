# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin that cannot be started, or does not stay: its service may listen all the same, and nothing goes through it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _binary,
    _deploy,
    _observe,
    _plugin,
    _restart,
    _secrets,
    _service,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, SERVER_SERVICE

UNIT = "ss-local@main.service"
PLAIN = _observe.Wanted("client", [CLIENT_SERVICE])
PLUGGED = _observe.Wanted("client", [{**CLIENT_SERVICE, "plugin": "obfs-local"}])


@pytest.mark.parametrize("implementation", _implementations.BY_NAME)
@pytest.mark.parametrize("service", [SERVER_SERVICE, CLIENT_SERVICE])
@pytest.mark.parametrize("plugin", ["obfs", None])
def test_of_a_config(implementation, service, plugin):
    """Each implementation has it elsewhere."""
    text = _service.config_text({**service, "implementation": implementation, "plugin": plugin})
    assert _plugin.of(_secrets.config(text)) == (plugin or "")


@pytest.mark.parametrize("config", [{"servers": 7}, {"servers": [3, {}]}, {"plugin": ["x"]}, {"plugin": None}])
def test_of_a_config_that_is_none(config):
    assert _plugin.of(config) == ""


@pytest.fixture
def folder(tmp_path):
    """A folder with a program, a text, and a folder."""
    for name, mode in (("runs", 0o755), ("text", 0o644)):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="ascii")
        (tmp_path / name).chmod(mode)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("runs")
    return tmp_path


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        ("runs", ""),
        ("link", ""),
        ("{folder}/runs", ""),
        ("text", "{folder}/text is not executable"),
        ("{folder}/text", "{folder}/text is not executable"),
        ("folder", "folder is in none of /nowhere:{folder}"),
        ("other", "other is in none of /nowhere:{folder}"),
        ("{folder}/other", "{folder}/other is not on this host"),
    ],
)
def test_refusal(folder, plugin, why):
    """By a name it is looked for in the unit's PATH, by a path nowhere else."""
    assert _plugin.refusal(plugin.format(folder=folder), f"/nowhere:{folder}") == why.format(folder=folder)


def test_refusal_of_a_relative_path(folder):
    """Services run in /."""
    assert _plugin.refusal(f"{folder}/runs"[1:], "/nowhere") == ""


def test_what_a_unit_hides(folder):
    """The service's user is not root, and has folders of its own."""
    assert "put it elsewhere" in _plugin.hidden("runs", str(folder))  # below /tmp
    assert _plugin.hidden(sys.executable, "") == "" or sys.executable.startswith("/root/")
    assert _plugin.hidden("/bin/sh", "") == _plugin.hidden("other", str(folder)) == ""


@pytest.mark.parametrize("name", ["x", "a) Z 1 ("])
def test_running(folder, name):
    """What has ended is still there as long as its parent does not ask for it."""
    (folder / name).write_text("#!/bin/sh\nread line\n", encoding="ascii")
    (folder / name).chmod(0o755)
    script = "import subprocess, sys, time; p = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE); "
    script += "print(flush=True); input(); p.stdin.close(); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, str(folder / name)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        service.stdout.readline()
        assert len(_plugin.running(service.pid)) == 1
        service.stdin.write(b"\n")
        service.stdin.flush()
        deadline = time.monotonic() + 10
        while _plugin.running(service.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert _plugin.running(service.pid) == set()
        service.kill()


def test_nothing_runs_below_no_process():
    """The first process of a machine, and what is started in a container, have the parent 0."""
    assert _plugin.running(0) == set()


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ("", _binary.PATH),
        ("Environment=PATH=/opt/bin:/usr/bin X=1\n", "/opt/bin:/usr/bin"),
        ("Environment=X=1\nEnvironmentFiles={file} (ignore_errors=no)\n", "/srv/bin"),
    ],
)
def test_folders_of_a_unit(monkeypatch, tmp_path, told, path):
    """A drop-in may say where plugins are."""
    file = tmp_path / "env"
    file.write_text('PATH="/srv/bin"\n', encoding="ascii")
    done = subprocess.CompletedProcess([], 0, told.format(file=file).encode(), b"")
    monkeypatch.setattr(subprocess, "run", lambda *_arguments, **_options: done)
    assert _plugin.folders(UNIT) == path


def test_refused_before_anything_changes(fake_host):
    """By name."""
    _deploy.deploy(PLAIN, check=False)
    before = fake_host.tree()
    fake_host.done.clear()
    fake_host.no_plugins["obfs-local"] = "obfs-local is in none of /usr/bin"
    assert _deploy.deploy(PLUGGED, check=True).refused == [
        f"{UNIT} cannot start its plugin: obfs-local is in none of /usr/bin. Install it, give its path, or take plugin out"
        " of the instance"
    ]
    with pytest.raises(_deploy.Refused, match="obfs-local is in none of"):
        _deploy.deploy(PLUGGED, check=False)
    assert fake_host.tree() == before and fake_host.done == []


def test_that_ends_at_once(fake_host):
    """The service runs and listens, and is taken back all the same."""
    _deploy.deploy(PLAIN, check=False)
    before = fake_host.tree()
    fake_host.ended.add("obfs-local")
    with pytest.raises(_apply.ApplyError) as failed:
        _deploy.deploy(PLUGGED, check=False)
    assert f"{UNIT} does not come up: its plugin obfs-local has ended: ERROR: the last words" in str(failed.value)
    assert str(failed.value).endswith("what ran before runs again")
    assert fake_host.tree() == before


def test_that_ends_with_its_service(fake_host, monkeypatch):
    """systemd has started it again, and it has another one by now."""
    pids = iter([{7}, {8}])
    monkeypatch.setattr(_plugin, "running", lambda _pid: next(pids))
    with pytest.raises(_apply.ApplyError, match="does not come up"):
        _deploy.deploy(PLUGGED, check=False)


def test_that_has_ended_since(fake_host):
    """The next deployment restarts its service; and nothing is to be done where it runs."""
    _deploy.deploy(PLUGGED, check=False)
    assert not _deploy.deploy(PLUGGED, check=False).changed
    fake_host.ended.add("obfs-local")
    assert [one["why"] for one in _deploy.deploy(PLUGGED, check=True).differs] == [
        "runs without its plugin: it is restarted"
    ]


def test_services_without_one_are_not_waited_for(fake_host, monkeypatch):
    """Nor looked at."""
    monkeypatch.setattr(_restart, "PLUGIN_SECONDS", 3600)
    _deploy.deploy(PLAIN, check=False)
