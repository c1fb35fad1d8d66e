# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX lays it out for ansible-runner, and what a run leaves of it: events, standard output, status."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from _hosts import INVENTORY, ROOT
from _pinned import pinned

SECRETS = re.compile(r"embedded-fleet-|T0K3N|PRIVATE KEY")
"""Passwords of instances, a token in a survey's answer, the login's key."""
PAGE = ROOT / "docs" / "awx.md"
SURVEY = {
    "rollout_bake_seconds": "3",
    "rollout_client_waves": '["100%"]',
    "rollout_probe_requests": "20",
    "rollout_max_error_share": "0.05",
    "rollout_notify_url": "http://127.0.0.1:9/T0K3N",  # where nobody listens
}
"""Answers arrive as text."""
MEMBERS = ("ss1", "c1", "c3")
"""The job's inventory: a server, the canary and another client."""
CLIENTS = ("c1", "c3")
VARIABLES = {"ANSIBLE_COLLECTIONS_PATH": "../requirements_collections", "ANSIBLE_PIPELINING": "1"}
CONNECTIONS = "ANSIBLE_SSH_CONTROL_PATH_DIR"
"""Hosts of every fleet have the same addresses, so connections are kept apart."""
SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


def block(name: str) -> str:
    """The block of docs/awx.md that is headed by this file's name."""
    found = re.search(
        rf"^```yaml\n# {re.escape(name)}.*?\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, f"{PAGE} shows no {name}"
    return found[1]


def lay_out(private: Path, reports: str, **answers: Any) -> None:
    """The private data directory: project, its collection as installed, inventory, credential, survey."""
    (private / "project").mkdir(parents=True)
    for name in ("rollout.yml", "rollback.yml"):
        (private / "project" / name).write_text(block(name), encoding="utf-8")
    shutil.copytree(
        Path(os.environ["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections",
        private / "requirements_collections" / "ansible_collections",
    )
    shutil.copytree(INVENTORY, private / "inventory")
    hosts = private / "inventory" / "hosts.yml"
    tree = yaml.safe_load(hosts.read_text(encoding="utf-8"))
    for group in tree["all"]["children"].values():
        group["hosts"] = {name: known for name, known in group["hosts"].items() if name in MEMBERS}
    tree["all"]["vars"] = {"ansible_user": "root", "ansible_ssh_common_args": SSH}
    hosts.write_text(yaml.safe_dump(tree), encoding="utf-8")
    env = private / "env"
    env.mkdir()
    key = Path(os.environ["FASTOPEN_CACHE"]) / "fleet" / "id_ed25519"
    shutil.copy(key, env / "ssh_key")
    (env / "envvars").write_text(json.dumps(VARIABLES), encoding="utf-8")
    (env / "settings").write_text(json.dumps({"job_timeout": 900}), encoding="utf-8")
    (env / "extravars").write_text(json.dumps({**SURVEY, "rollout_report_dir": reports, **answers}), encoding="utf-8")


def environment() -> dict[str, str]:
    """ansible-runner, receptorctl and Ansible on the path; of what this run of the tests has set for Ansible only one thing."""
    ours = ("ANSIBLE_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours) or name == CONNECTIONS}
    return {**kept, "PATH": f"{pinned('runner')}:{kept['PATH']}", "LC_ALL": "C.UTF-8"}


def run(private: Path, ident: str, playbook: str = "rollout.yml", *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ansible-runner run --json`: its status, and an event a line."""
    command = ["ansible-runner", "run", str(private), "--playbook", playbook, "--ident", ident, "--json", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment(), timeout=900)


class Artifacts:
    """What a job has left below artifacts/IDENT."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is artifacts/IDENT."""
        self.folder = folder
        self.status = (folder / "status").read_text(encoding="utf-8")
        self.rc = int((folder / "rc").read_text(encoding="utf-8"))
        self.stdout = (folder / "stdout").read_text(encoding="utf-8")
        paths = sorted((folder / "job_events").glob("*.json"), key=lambda path: int(path.name.partition("-")[0]))
        every = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        self.events = [
            one for one in every if one["event"] != "verbose"
        ]  # a line on the terminal, no event of Ansible's

    def results(self, action: str) -> list[dict[str, Any]]:
        """What a module or action of the collection has returned, host by host."""
        return [
            one["event_data"]["res"]
            for one in self.events
            if one["event"] == "runner_on_ok" and one["event_data"]["task_action"] == f"fastopen.shadowsocks.{action}"
        ]

    def lines(self) -> list[str]:
        """What the actions have told, in the order of the events."""
        return [line for one in self.events for line in one["event_data"].get("res", {}).get("lines", [])]


def told(folder: Path) -> list[str]:
    """The files below a folder in which a secret stands."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return [str(path) for path in found if SECRETS.search(path.read_text(encoding="utf-8", errors="replace"))]
