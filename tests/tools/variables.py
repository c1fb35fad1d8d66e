# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md: every variable with its type, range and default, and where it is used, out of the schema itself.

`make docs` writes it; a contract test compares it, and the schema with argument_specs and defaults.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _instances, _variables

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "variables.md"


def options(role: str) -> dict[str, Any]:
    """What argument_specs.yml says of the variables of a role; nothing for those of playbooks alone."""
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    if not path.exists():
        return {}
    return yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for role, variables in _variables.ROLES.items():
        users = ", ".join(f"`{user}`" for user in used_by(role))
        parts.append(f"## {role}\n\nRead by {users}.\n")
        parts.append(table(role, variables))
        if role in ("ss_server", "ss_client"):
            side = role.removeprefix("ss_")
            keys = _instances.SERVER_KEYS if side == "server" else _instances.CLIENT_KEYS
            adopted = _instances.ADOPTED_SERVER_KEYS if side == "server" else _instances.ADOPTED_CLIENT_KEYS
            keys = {"name": keys["name"], "unit": dataclasses.replace(adopted["unit"], required=False), **keys}
            parts.append(f"### Keys of an entry of {role}_instances\n\n{key_table(role, keys)}")
    return "\n".join(parts)


def used_by(role: str) -> list[str]:
    """The roles and playbooks that read variables of this group."""
    names = {variable.name for variable in _variables.ROLES[role]}
    return [user for user in _variables.USED if names & {variable.name for variable in _variables.variables(user)}]


def table(role: str, variables: tuple[_variables.Variable, ...]) -> str:
    """One row a variable."""
    specs = options(role)
    rows = [
        (
            f"`{one.name}`",
            one.kind.type,
            one.kind.allowed,
            default(one.default),
            "run" if one.run else "host",
            one.about or text(specs[one.name]),
        )
        for one in variables
    ]
    return lines(("variable", "type", "allowed", "default", "set for", "what it is"), rows)


def key_table(role: str, keys: dict[str, _instances.Key]) -> str:
    """One row a key of an instance."""
    specs = options(role)[f"{role}_instances"]["options"]
    rows = [
        (
            f"`{name}`",
            key.kind.type,
            key.kind.allowed,
            "required" if key.required else default(key.default),
            text(specs[name]),
        )
        for name, key in keys.items()
    ]
    return lines(("key", "type", "allowed", "default", "what it is"), rows)


def default(value: Any) -> str:
    """A default as it would be written in YAML."""
    if value is None:
        return ""
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix('...' + chr(10)).strip()}`"


def text(option: dict[str, Any]) -> str:
    """The description on one line, without Ansible's markup."""
    description = option["description"]
    found = " ".join(description if isinstance(description, list) else [description])
    return " ".join(re.sub(r"\b[VCOM]\(([^()]*)\)", r"`\1`", found).split())


def lines(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in [head, tuple("---" for _cell in head), *rows]]
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


HEAD = """\
# Variables

Made by `make docs` from the schema in `plugins/plugin_utils/inventory/_variables.py` and `_instances.py`: the one place where
variables are checked, all of them before a host is touched. Values may come as YAML, from INI files or `-e` as text, from a
survey, or out of a vault; numbers and booleans are read as Ansible reads them, lists also as JSON or Python literals.
Text that YAML or an INI file would read as a number, a boolean or a date is quoted; on the line of a host in an INI file twice:
`shadowsocks_version='"3.3"'`. Secrets, and values that are vaulted one by one, are shown in no message.
What is set for a run is one decision and has the same value on all hosts. An empty default means that what a host has is kept.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")
    sys.exit(0)
