# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema that every input is checked with says the same as argument_specs, defaults and docs/variables.md."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from _collection import PLAYBOOKS, ROLES, ROOT, entry_points, read_optional
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _instances, _lists, _variables

KEYS = {"ss_server": _instances.SERVER_KEYS, "ss_client": _instances.CLIENT_KEYS}
ADOPTED = {"ss_server": _instances.ADOPTED_SERVER_KEYS, "ss_client": _instances.ADOPTED_CLIENT_KEYS}


def choices(kind: Any) -> list[str] | None:
    """The words that are allowed, where there are only a few."""
    return list(kind.choices) if hasattr(kind, "choices") else None


def spec_type(kind: Any) -> str:
    """Its type for argument_specs. Ansible would refuse a list as text, and one mistake before all others are found."""
    return "raw" if isinstance(kind, _lists.Listing) else kind.type


@pytest.mark.parametrize("role", ROLES)
def test_variables_of_a_role(role: str) -> None:
    """Names, types, choices and defaults are those of its argument_specs and its defaults."""
    options = entry_points(role)["main"]["options"]
    schema = {one.name: one for one in _variables.ROLES[role]}
    assert set(schema) == set(options)
    assert {name: spec_type(one.kind) for name, one in schema.items()} == {n: o["type"] for n, o in options.items()}
    assert {name: choices(one.kind) for name, one in schema.items()} == {
        n: o.get("choices") for n, o in options.items()
    }
    assert {name: one.default for name, one in schema.items()} == {n: o.get("default") for n, o in options.items()}
    set_here = read_optional(ROOT / "roles" / role / "defaults" / "main.yml")
    assert {name: one.default for name, one in schema.items()} == set_here


@pytest.mark.parametrize("role", KEYS)
def test_keys_of_an_instance(role: str) -> None:
    """Likewise."""
    options = entry_points(role)["main"]["options"][f"{role}_instances"]["options"]
    keys = {"unit": ADOPTED[role]["unit"], **KEYS[role]}
    assert set(ADOPTED[role]) <= set(keys)  # what else an adopted one may say, any other may, too
    assert set(keys) == set(options)
    for name, key in keys.items():
        told = (options[name]["type"], options[name].get("choices"), options[name].get("default"))
        assert (key.kind.type, choices(key.kind), key.default) == told, name
        # Name and what else is required of an instance that is present; one that is absent needs its name only.
        assert key.required == options[name].get("required", False) or name != "name", name


@pytest.mark.parametrize("default", [(one.name, one) for group in _variables.ROLES.values() for one in group])
def test_defaults_pass_the_door(default: tuple[str, _variables.Variable]) -> None:
    """What is not set may be written out."""
    _name, one = default
    assert one.default is None or one.kind.read(one.default) == one.default


def test_roles_and_playbooks() -> None:
    """Each of them reads what the schema says, and none is left out."""
    assert set(_variables.USED) == set(ROLES) | set(PLAYBOOKS)
    assert set(_variables.ROLES) <= set(_variables.USED)


def test_page() -> None:
    """docs/variables.md is what `make docs` writes."""
    path = ROOT / "tests" / "tools" / "variables.py"
    spec = importlib.util.spec_from_file_location("variables", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run: make docs"
