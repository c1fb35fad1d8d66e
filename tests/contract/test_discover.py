# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook discover as operators run it, but for its look at the hosts: that returns a variable of each host."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from _collection import ROOT
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.discover._found import (
    TUN,
    UNIT,
    client,
    look,
    server,
)

LOOK = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        if "found" not in task_vars:
            raise AnsibleConnectionFailure("no route to host")
        return task_vars["found"]
"""
CHANGED = "changed: fastopen.shadowsocks.rollout : discover | Adopt what was found"
FLEET: dict[str, Any] = {
    "all": {
        "vars": {"rollout_probe_url": "http://origin.example/"},
        "hosts": {
            "ss1": {"ansible_host": "203.0.113.7", "found": look(server())},
            "c1": {"found": look(client())},
            "down": {},
        },
        "children": {"shadowsocks_servers": {"hosts": {"ss1": {}}}},
    }
}


class Operator:
    """Has an inventory in a folder, and this collection with another look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        collection = folder / "collections/ansible_collections/fastopen/shadowsocks"
        actions = collection / "plugins/action"
        actions.mkdir(parents=True)
        for path in (ROOT / "plugins/action").glob("*.py"):
            (actions / path.name).symlink_to(path)
        (actions / "tfo_discover.py").unlink(missing_ok=True)
        (actions / "tfo_discover.py").write_text(LOOK, encoding="utf-8")
        for path in [*ROOT.glob("[!.]*"), *(ROOT / "plugins").glob("[!_]*")]:
            link = collection / path.relative_to(ROOT)
            if not link.exists():
                link.symlink_to(path)
        (folder / "inventory.yml").write_text(yaml.safe_dump(FLEET), encoding="utf-8")
        (folder / "ansible.cfg").touch()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of Ansible's, without the settings of whoever runs this test."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        collections = str(self.folder / "collections")
        own = {"ANSIBLE_COLLECTIONS_PATH": collections, "PYTHONPATH": collections, "ANSIBLE_NOCOLOR": "1"}
        own["ANSIBLE_STDOUT_CALLBACK"] = "fastopen.shadowsocks.rollout"
        settings = {**kept, **own, "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"), "ANSIBLE_FORKS": "1"}
        return subprocess.run(command, env=settings, cwd=self.folder, capture_output=True, text=True, check=False)

    def discover(self, *options: str) -> str:
        """What the playbook prints on one line, blanks taken together; it has to succeed."""
        done = self.run("ansible-playbook", "-i", "inventory.yml", "fastopen.shadowsocks.discover", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout)
        return " ".join(done.stdout.split())

    def variables(self, host: str) -> dict[str, Any]:
        """What Ansible reads of a host."""
        return json.loads(self.run("ansible-inventory", "-i", "inventory.yml", "--host", host).stdout)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """In an empty folder."""
    return Operator(tmp_path)


def test_discover(operator: Operator) -> None:
    """Check mode shows and writes nothing; then Ansible reads what was written; the third time nothing changes."""
    folder = operator.folder / "host_vars"
    said = operator.discover("--check", "--diff")
    assert f"+ - name: tun + unit: {TUN} + server: ss1" in said
    assert CHANGED in said and not folder.exists()

    said = operator.discover()
    assert CHANGED in said and f"{folder}/ss1/shadowsocks.yml was written" in said
    assert "down: unreachable: " in said and "no route to host" in said
    assert "children: shadowsocks_clients: hosts: c1: {}" in said
    assert operator.variables("ss1")["ss_server_instances"] == [{"name": "shadowsocks-libev", "unit": UNIT}]
    assert operator.variables("c1")["ss_client_instances"] == [{"name": "tun", "unit": TUN, "server": "ss1"}]
    assert sorted(os.listdir(folder)) == ["c1", "ss1"]

    said = operator.discover()
    assert CHANGED not in said and said.count("shadowsocks.yml says so already") == 2


def test_folder_of_an_operator(operator: Operator) -> None:
    """Given as text, relative to where the playbook is run; what is odd is refused at the door."""
    said = operator.discover("-e", "discover_dir=elsewhere/host_vars", "--limit", "ss1")
    assert f"Ansible does not read {operator.folder}/elsewhere/host_vars" in said
    assert (operator.folder / "elsewhere/host_vars/ss1/shadowsocks.yml").is_file()
    command = ["ansible-playbook", "-i", "inventory.yml", "fastopen.shadowsocks.discover"]
    refused = operator.run(*command, "-e", "discover_overwrite=perhaps", "--limit", "ss1")
    assert (
        refused.returncode == 2
        and "discover_overwrite: 'perhaps' is not true or false" in refused.stderr + refused.stdout
    )
    nowhere = operator.run(
        "ansible-playbook", "-i", "ss1,", "fastopen.shadowsocks.discover", "-e", json.dumps({"found": look()})
    )
    assert nowhere.returncode == 2 and "or set discover_dir" in nowhere.stderr + nowhere.stdout
