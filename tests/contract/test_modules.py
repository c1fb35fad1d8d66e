# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module's documentation says has to be complete and usable as it stands."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from _collection import MODULES, ROOT, read_yaml


def walk_results(results: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """All documented keys of a result with their dotted names, those inside mappings and lists too."""
    found = []
    for name, result in results.items():
        found.append((prefix + name, result))
        found += walk_results(result.get("contains", {}), f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_module_states_what_it_supports(module: str, documentation: dict[str, Any]) -> None:
    attributes = documentation["doc"].get("attributes", {})
    assert {"check_mode", "diff_mode", "platform"} <= set(attributes)


@pytest.mark.parametrize("module", MODULES)
def test_every_result_is_described(module: str, documentation: dict[str, Any]) -> None:
    results = documentation["return"]
    assert results, "RETURN is empty"
    for name, result in walk_results(results):
        assert result.get("description"), f"{name} has no description"
        assert result.get("type"), f"{name} has no type"
        assert "." in name or result.get("returned"), f"{name} does not say when it is returned"


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_tasks_with_known_options(module: str, documentation: dict[str, Any]) -> None:
    known = documentation["doc"].get("options", {})
    tasks = yaml.safe_load(documentation["examples"])
    calls = [task[f"fastopen.shadowsocks.{module}"] or {} for task in tasks if f"fastopen.shadowsocks.{module}" in task]
    assert calls, f"no example calls fastopen.shadowsocks.{module}"
    assert all(task.get("name") for task in tasks), "every example has a name that tells what it is for"
    for call in calls:
        assert set(call) <= set(known), f"unknown options: {sorted(set(call) - set(known))}"
        missing = {name for name, option in known.items() if option.get("required")} - set(call)
        assert not missing, f"required options are missing: {sorted(missing)}"


@pytest.mark.parametrize("module", [path.stem for path in sorted((ROOT / "plugins" / "action").glob("[!_]*.py"))])
def test_options_of_an_action_are_documented(module: str, documentation: dict[str, Any]) -> None:
    """Of the actions that are all of a module; ansible-test compares the others."""
    action = importlib.import_module(f"ansible_collections.fastopen.shadowsocks.plugins.action.{module}")
    asked = getattr(action.ActionModule, "ARGUMENTS", None)
    told = documentation["doc"].get("options", {})
    assert asked is None or _compared(told) == _compared(asked)


def _compared(options: dict[str, Any]) -> dict[str, Any]:
    keys = ("type", "elements", "required", "choices", "default")
    return {name: {key: one[key] for key in keys if one.get(key)} for name, one in options.items()}


def test_action_group_holds_every_module() -> None:
    groups = read_yaml(ROOT / "meta" / "runtime.yml")["action_groups"]
    assert sorted(groups["tfo"]) == MODULES
