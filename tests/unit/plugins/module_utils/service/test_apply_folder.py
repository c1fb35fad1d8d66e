# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of the configs and the group that reads it, where somebody else has a part in them."""

from __future__ import annotations

import dataclasses
import os
import subprocess

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _deploy, _observe
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import SERVER_SERVICE

UNIT = "ss-server@main.service"
WANTED = _observe.Wanted("server", [SERVER_SERVICE])


def test_folder_is_repaired(fake_host):
    """And said to be."""
    _deploy.deploy(WANTED, check=False)
    os.chmod(fake_host.config_dir, 0o700)
    result = _deploy.deploy(WANTED, check=False)
    told = [(one["name"], one["why"].split(",")[0]) for one in result.differs]
    assert told == [(str(fake_host.config_dir), "is 0700")]
    assert result.diff[0]["after"].startswith(f"{fake_host.config_dir}: is 0700")
    assert fake_host.config_dir.stat().st_mode & 0o777 == 0o750
    assert _deploy.deploy(WANTED, check=False).differs == []


def test_folder_of_somebody_that_the_services_can_read(fake_host):
    """Its mode and owner are his."""
    fake_host.put(fake_host.config_dir / "theirs.json", "{}")
    os.chmod(fake_host.config_dir, 0o755)
    _deploy.deploy(WANTED, check=False)
    assert (UNIT in fake_host.running, fake_host.config_dir.stat().st_mode & 0o777) == (True, 0o755)


def test_last_instance_beside_a_file_of_somebody(fake_host):
    """It goes, and the folder stays with his file."""
    _deploy.deploy(WANTED, check=False)
    fake_host.put(fake_host.config_dir / "theirs.json", "{}")
    _deploy.deploy(dataclasses.replace(WANTED, services=[], prune=True), check=False)
    assert (UNIT in fake_host.running, os.listdir(fake_host.config_dir)) == (False, ["theirs.json"])


def test_group_that_cannot_be_made(fake_host, monkeypatch):
    """/etc is read-only, say: nothing is written that nobody could read, and groupadd's own words are told."""
    run, tree = fake_host.run, fake_host.tree()

    def refuse(command, **options):
        if "groupadd" in command[0]:
            return subprocess.CompletedProcess(command, 10, b"", b"groupadd: cannot lock /etc/group; try again later.")
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(_apply.ApplyError, match="failed with 10: groupadd: cannot lock /etc/group"):
        _deploy.deploy(WANTED, check=False)
    assert (fake_host.tree(), UNIT in fake_host.running) == (tree, False)
