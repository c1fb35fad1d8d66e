# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-builder makes of the definition that docs/awx.md shows, and of what the collection asks for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from _collection import ROOT

PAGE = (ROOT / "docs" / "awx.md").read_text(encoding="utf-8")


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_definition_can_be_built_from(tmp_path: Path) -> None:
    (definition,) = re.findall(r"^```yaml\n(# execution-environment\.yml.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "execution-environment.yml").write_text(definition, encoding="utf-8")
    _run("ansible-builder", "create", cwd=tmp_path)
    context = tmp_path / "context"
    assert "FROM $EE_BASE_IMAGE" in (context / "Containerfile").read_text(encoding="utf-8")
    asked = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert [str(one) for one in asked["collections"]] == ["fastopen.shadowsocks"]


def test_nothing_of_python_is_asked_for_and_ssh_of_the_system(tmp_path: Path) -> None:
    """As ansible-builder reads an installed collection inside an image."""
    installed = tmp_path / "ansible_collections" / "fastopen" / "shadowsocks"
    (installed / "meta").mkdir(parents=True)
    for name in ("galaxy.yml", "meta/execution-environment.yml", "meta/bindep.txt"):
        shutil.copy(ROOT / name, installed / name)
    told = yaml.safe_load(_run("ansible-builder", "introspect", str(tmp_path), cwd=tmp_path))
    assert not told["python"], json.dumps(told)
    assert sorted(line.split()[0] for line in told["system"]) == ["openssh-client", "openssh-clients"]
