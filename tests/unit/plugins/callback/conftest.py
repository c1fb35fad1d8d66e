# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks whose tasks return what they are told to, run by the real ansible-playbook over three hosts that are this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ACTION = """
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return dict(self._task.args)
"""
INVENTORY = f"""
all:
  hosts: {{c1: {{}}, c2: {{}}, c3: {{}}}}
  children: {{nobody: {{}}}}
  vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}
"""
ACTIONS = ("tfo_plan", "tfo_wave", "tfo_stage", "tfo_end", "other")


class Playbooks:
    """Runs playbooks in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "action_plugins").mkdir()
        for name in ACTIONS:
            (folder / "action_plugins" / f"{name}.py").write_text(ACTION, encoding="utf-8")
        (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        (folder / "ansible.cfg").touch()

    def command(self, playbook: str, *arguments: str) -> list[str]:
        """The command that runs this playbook."""
        path = self.folder / "playbook.yml"
        path.write_text(playbook, encoding="utf-8")
        return ["ansible-playbook", "-i", str(self.folder / "inventory.yml"), str(path), *arguments]

    def environment(self, callback: str = "fastopen.shadowsocks.rollout", **more: str) -> dict[str, str]:
        """Nothing of the user's own settings, no colours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        collections = {"ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")}
        plain = {"ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORKS": "1"}
        return {**kept, **collections, **plain, "ANSIBLE_STDOUT_CALLBACK": callback, **more}

    def __call__(self, playbook: str, *arguments: str, **settings: str) -> tuple[str, str]:
        """What it writes to stdout and stderr, with ``DIR`` for its folder, and one message as ansible-core 2.19 has it."""
        command, environment = self.command(playbook, *arguments), self.environment(**settings)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder)
        shown = done.stdout.replace(str(self.folder), "DIR")
        return shown.replace("The command exited with a non-zero return code.", "non-zero return code"), done.stderr


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Run a playbook."""
    return Playbooks(tmp_path)
