# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that fails takes back what it has brought, too: services that came up, folders, drop-ins over its files."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _deploy,
    _deployment,
    _files,
    _observe,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import SERVER_SERVICE

UNIT, NEW = "ss-server@main.service", "ss-server@new.service"
NEW_SERVICE = {**SERVER_SERVICE, "name": "new", "instance": "new", "server_port": 8389}
MAIN = _observe.Wanted("server", [SERVER_SERVICE])
MORE = _observe.Wanted("server", [{**SERVER_SERVICE, "password": "other"}, NEW_SERVICE])
AS_BEFORE = "files are put back, and what ran before runs again"


def fail(wanted, before_restart=None):
    """It does not come off; how the host is said to be left."""
    seen = _observe.observe(wanted)
    with pytest.raises(_apply.ApplyError) as caught:
        _apply.apply(_deployment.compare(wanted, seen), wanted, seen, before_restart)
    return str(caught.value)


@pytest.fixture(name="deployed")
def fixture_deployed(fake_host):
    """One server runs, and does not come up with what is asked of it next."""
    _deploy.deploy(MAIN, check=False)
    fake_host.done.clear()
    fake_host.broken.add(UNIT)
    return fake_host


def test_service_that_came_up_beside_one_that_did_not(deployed):
    """It goes again, with its process: nobody is to find a server that no file and no record knows."""
    tree = deployed.tree()
    fail(MORE)
    assert (NEW in deployed.running, deployed._wants(NEW).is_symlink(), deployed.tree()) == (False, False, tree)


def test_service_that_came_up_where_a_file_cannot_be_put_back(deployed, monkeypatch):
    """The disk is full: what nothing else was taken away for goes all the same."""
    restore = _files.restore

    def full(path, state):
        if path.endswith("ss-server-main.json"):
            raise OSError(28, "No space left on device", path)
        restore(path, state)

    monkeypatch.setattr(_files, "restore", full)
    assert "not put back: [Errno 28] No space left on device" in fail(MORE)
    assert (NEW in deployed.running, (deployed.config_dir / "ss-server-new.json").exists()) == (False, False)


def test_drop_ins_follow_their_files_back(deployed):
    """What repeats a line of a unit is told once the files are new, and once they are as they were."""
    config, read = deployed.config_dir / "ss-server-main.json", []
    before = config.read_text()
    fail(MORE, lambda: read.append(config.read_text() == before))
    assert read == [False, True]


def test_host_that_had_nothing(fake_host, monkeypatch):
    """systemd never heard of what did not come: nothing of that is an error beside the one that there was."""
    tree = fake_host.tree()

    def full(path, *_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files, "prepare", full)
    assert fail(MAIN) == f"[Errno 28] No space left on device; {AS_BEFORE}"
    assert fake_host.tree() == tree


def test_folder_that_somebody_has_put_something_into(fake_host):
    """It stays with that, and the error is told as it was."""

    def somebody():
        (fake_host.config_dir / "theirs").touch()
        raise OSError(28, "No space left on device")

    assert "No space left on device" in fail(MAIN, somebody)
    assert [path.name for path in fake_host.config_dir.iterdir()] == ["theirs"]
