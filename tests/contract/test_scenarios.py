# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule passes over a step whose playbook is missing, and over the argument of most steps, and succeeds: not here."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from _collection import ROLES, ROOT, SCENARIOS, read_optional, read_yaml

BASE = read_yaml(ROOT / ".config" / "molecule" / "config.yml")
FOLDERS = sorted(path.name for path in (ROOT / "molecule").glob("*") if path.is_dir())
# The playbook that each step runs.
STEPS = {
    "check": "converge",
    "cleanup": "cleanup",
    "converge": "converge",
    "create": "create",
    "destroy": "destroy",
    "idempotence": "converge",
    "prepare": "prepare",
    "side_effect": "side_effect",
    "syntax": "converge",
    "verify": "verify",
}
# Only these run the playbook that their argument names; any other step drops its argument and runs its own.
STEPS_WITH_ARGUMENT = ("side_effect", "verify")


def sequence_of(scenario: str) -> list[str]:
    """The steps of `molecule test` for this scenario: its own or those of the shared base."""
    own: dict[str, Any] = read_optional(ROOT / "molecule" / scenario / "molecule.yml")
    return own.get("scenario", {}).get("test_sequence", BASE["scenario"]["test_sequence"])


def playbook(scenario: str, name: str) -> Path:
    """Where this scenario has the playbook of that name, by default beside its molecule.yml."""
    own: dict[str, Any] = read_optional(ROOT / "molecule" / scenario / "molecule.yml")
    playbooks = {**BASE["ansible"].get("playbooks", {}), **own.get("ansible", {}).get("playbooks", {})}
    return ROOT / "molecule" / scenario / playbooks.get(name, f"{name}.yml")


def names_role(text: str, role: str) -> bool:
    """Whether this playbook names the role by its full name."""
    return re.search(rf"\bfastopen\.shadowsocks\.{role}\b", text) is not None


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_a_scenario(folder: str) -> None:
    assert folder in SCENARIOS, f"molecule/{folder} has no molecule.yml, so Molecule does not see it"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_step_has_its_playbook(scenario: str) -> None:
    for step in sequence_of(scenario):
        name, _blank, argument = step.partition(" ")
        assert name in STEPS, f"{step}: no step of Molecule"
        assert not argument or name in STEPS_WITH_ARGUMENT, f"{step}: Molecule would drop the argument"
        needed = ROOT / "molecule" / scenario / argument if argument else playbook(scenario, STEPS[name])
        assert needed.is_file(), f"{step}: {needed.relative_to(ROOT)} is missing; Molecule would succeed without it"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_verifies(scenario: str) -> None:
    assert "verify" in sequence_of(scenario)


@pytest.mark.parametrize("role", ROLES)
def test_role_has_a_scenario(role: str) -> None:
    converging = [
        path for path in (ROOT / "molecule").glob("*/converge.yml") if names_role(path.read_text("utf-8"), role)
    ]
    assert converging, f"no molecule/*/converge.yml applies fastopen.shadowsocks.{role}"


def constant(name: str) -> tuple[str, ...]:
    """A tuple of tests/tools/scenarios.py."""
    tree = ast.parse((ROOT / "tests" / "tools" / "scenarios.py").read_text(encoding="utf-8"))
    found = [node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name]
    return ast.literal_eval(found[0])


def test_scenarios_over_rust_exist() -> None:
    """Each once, and what is slow is one of all."""
    over_rust = constant("WITH_RUST")
    assert sorted(set(over_rust)) == list(over_rust)
    assert {name.partition("@")[0] for name in over_rust} <= set(SCENARIOS)
    assert set(constant("SLOW")) <= {*over_rust, *SCENARIOS}


def test_page_of_platforms_names_them() -> None:
    """One row for each kind of fleet, all its scenarios in it; slow ones are said to be."""
    page = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `@(\w+)`: [^|]+\|([^|]*)\|([^|]*)\|$", page, re.MULTILINE)
    said = {
        (f"{name}@{kind}", slow)
        for kind, *both in rows
        for slow, names in enumerate(both)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert said == {(name, name in constant("SLOW")) for name in constant("WITH_RUST")}


DRIVERS = {"_life_driver.py"}
"""Run on a host, with the modules' own code beside it."""


@pytest.mark.parametrize(
    "path", [path for path in sorted((ROOT / "tests" / "testinfra").glob("*.py")) if path.name not in DRIVERS]
)
def test_verified_by_other_means(path: Path) -> None:
    """Where scenarios run, the collection is installed for Ansible alone; no test sees with its eyes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert [name for name in named if name.startswith("ansible_collections")] == []
