# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's argument specification only validates, it sets nothing: so it has to say what defaults/main.yml sets."""

from __future__ import annotations

from typing import Any

import pytest
from _collection import ROLES, ROOT, entry_points, read_optional, read_yaml
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _variables

ENTRY_POINTS = [(role, entry_point) for role in ROLES for entry_point in entry_points(role)]


def defaults(role: str) -> dict[str, Any]:
    """What defaults/main.yml sets."""
    return read_optional(ROOT / "roles" / role / "defaults" / "main.yml")


def options(role: str) -> dict[str, Any]:
    """The options of all entry points of the role: each starts from the same defaults."""
    merged: dict[str, Any] = {}
    for specification in entry_points(role).values():
        merged.update(specification.get("options", {}))
    return merged


@pytest.mark.parametrize("role", ROLES)
def test_role_specifies_its_entry_points(role: str) -> None:
    assert entry_points(role), f"roles/{role}/meta/argument_specs.yml is missing or empty"
    if (ROOT / "roles" / role / "tasks" / "main.yml").is_file():
        assert "main" in entry_points(role), f"roles/{role}/meta/argument_specs.yml has no entry point main"


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_specified(role: str) -> None:
    unspecified = sorted(set(defaults(role)) - set(options(role)))
    assert not unspecified, f"add to roles/{role}/meta/argument_specs.yml: {unspecified}"


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_a_default_or_is_required(role: str) -> None:
    required = {name for name, option in options(role).items() if option.get("required", False)}
    assert not required & set(defaults(role)), "an option with a default cannot be required"
    unset = sorted(set(options(role)) - set(defaults(role)) - required)
    assert not unset, f"add to roles/{role}/defaults/main.yml, or require: {unset}"


@pytest.mark.parametrize("role", ROLES)
def test_specified_defaults_are_the_real_ones(role: str) -> None:
    told = {name: option.get("default") for name, option in options(role).items() if not option.get("required", False)}
    different = {
        name: f"told {value!r}, set {defaults(role)[name]!r}"
        for name, value in told.items()
        if name in defaults(role) and value != defaults(role)[name]
    }
    assert not different, f"roles/{role}: meta/argument_specs.yml and defaults/main.yml disagree: {different}"


@pytest.mark.parametrize(("role", "entry_point"), ENTRY_POINTS)
def test_entry_point_has_tasks(role: str, entry_point: str) -> None:
    assert (ROOT / "roles" / role / "tasks" / f"{entry_point}.yml").is_file()


@pytest.mark.parametrize(("role", "entry_point"), ENTRY_POINTS)
def test_options_are_described_and_carry_the_prefix_of_their_role(role: str, entry_point: str) -> None:
    for name, option in entry_points(role)[entry_point].get("options", {}).items():
        assert name.startswith(f"{role}_"), f"{name}: a role reads only variables that start with {role}_"
        assert option.get("description"), f"{name} has no description"
        assert option.get("type"), f"{name} has no type"


@pytest.mark.parametrize("role", ["ss_server", "ss_client"])
def test_line_for_the_boot_is_where_the_inventory_says(role: str) -> None:
    """fast_open: true makes it last, in the file that a rollout takes: one that sorts after somebody else's, say."""
    (stage,) = (
        one["fastopen.shadowsocks.tfo_stage"]
        for one in read_yaml(ROOT / "roles" / role / "tasks" / "stage.yml")
        if "fastopen.shadowsocks.tfo_stage" in one
    )
    assert stage.get("sysctl_file") == f"{{{{ __{role}_told.variables.tcp_fastopen_sysctl_file }}}}"
    assert "tcp_fastopen_sysctl_file" in {variable.name for variable in _variables.variables(role)}


@pytest.mark.parametrize("role", ROLES)
def test_no_task_sets_a_public_variable(role: str) -> None:
    """An extra variable overrules it: what a role tells another one has a name that no operator is told of."""
    public = {name for one in ROLES for name in options(one)}
    tasks = [task for path in (ROOT / "roles" / role / "tasks").glob("*.yml") for task in read_yaml(path)]
    assert [task["name"] for task in tasks if public & set(task.get("vars", {}))] == []
