# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever can be copied out of the documentation works: examples of modules, blocks of pages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest
import yaml
from _collection import MODULES, PLAYBOOKS, ROOT
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _lines, _switch
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _variables
from conftest import read_documentation

PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "roles/*/README.md", "extensions/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if path.name != "CHANGELOG.md"
]
BLOCK = re.compile(r"^```(\w*|\{toctree\})\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"sh", "yaml", "json", "text", "ini", "{toctree}"}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    number: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def _blocks() -> Iterator[Block]:
    for path in PAGES:
        for number, (kind, text) in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")), 1):
            yield Block(str(path.relative_to(ROOT)), number, kind, text)


BLOCKS = list(_blocks())


def _syntax_check(plays: list[dict[str, Any]], folder: Path) -> None:
    playbook = folder / "snippet.yml"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    command = ["ansible-playbook", "--syntax-check", "-i", "localhost,", str(playbook)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _tasks(content: Any) -> list[dict[str, Any]]:
    """The tasks of a list of tasks or plays."""
    found = []
    for entry in content:
        found += entry.get("tasks", []) if "hosts" in entry else [entry]
    return found


def _check_tasks(content: Any) -> None:
    """Modules of this collection get options that they have."""
    for task in _tasks(content):
        for name, options in task.items():
            module = name.removeprefix("fastopen.shadowsocks.")
            if name != module and module in MODULES:
                assert set(options or {}) <= set(read_documentation(module)["doc"].get("options") or {})


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.kind in KINDS


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.kind in ("yaml", "json")], ids=str)
def test_yaml(block: Block, tmp_path: Path) -> None:
    content = yaml.safe_load(block.text)
    assert content
    if isinstance(content, list) and all(isinstance(one, dict) for one in content):
        plays = [one for one in content if "hosts" in one or "ansible.builtin.import_playbook" in one]
        _check_tasks(content)
        if plays:
            assert plays == content
            _syntax_check(content, tmp_path)


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.kind == "sh"], ids=str)
def test_shell(block: Block) -> None:
    done = subprocess.run(["sh", "-n"], input=block.text, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


COMMANDS = [
    (str(block), line.partition(" #")[0])
    for block in BLOCKS
    if block.kind == "sh"
    for line in block.text.splitlines()
    if line.startswith("ansible-playbook ")
]


@pytest.mark.parametrize(("place", "command"), COMMANDS, ids=lambda text: text.replace("/", "_"))
def test_a_command_names_what_there_is(place: str, command: str) -> None:
    """The playbook exists, and variables given by -e are known."""
    del place
    named = re.findall(r"fastopen\.shadowsocks\.(\w+)", command)
    assert set(named) <= set(PLAYBOOKS)
    for variable in re.findall(r"-e (\w+)=", command):
        assert variable in _variables.names()


def test_by_hand_no_boot_brings_it_back(tmp_path: Path) -> None:
    """The line that a confirmation writes goes; a server in listener mode has nothing else. What others keep there stays."""
    (edit,) = re.findall(r"^sed -i ('.+') (\S+)", (ROOT / "docs" / "way-back.md").read_text("utf-8"), re.MULTILINE)
    assert edit[1] == _switch.FILE
    file = tmp_path / "99-tfo.conf"
    state = _lines.replaced(None, _switch.KEY, [f"{_switch.KEY} = 1027", f"{_switch.KEY}_key = 0-0-0-1"])
    assert state is not None
    file.write_bytes(state.content)
    subprocess.run(f"sed -i {edit[0]} {file}", check=True, shell=True)
    left = file.read_text("utf-8").splitlines()
    assert left == [line for line in state.content.decode().splitlines() if "1027" not in line]


def test_examples(tmp_path: Path) -> None:
    plays = []
    for module in MODULES:
        content = yaml.safe_load(read_documentation(module)["examples"] or "[]")
        _check_tasks(content)
        plays += [one if "hosts" in one else {"hosts": "all", "tasks": [one]} for one in content]
    assert len(plays) > len(MODULES) / 2
    _syntax_check(plays, tmp_path)
