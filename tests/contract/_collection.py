# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection holds, read from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

ROLES = sorted(path.name for path in (ROOT / "roles").glob("*") if path.is_dir())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def read_yaml(path: Path) -> Any:
    """The one document of this file; None when it is empty."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_optional(path: Path) -> dict[str, Any]:
    """The mapping in this file; empty without a file."""
    return (read_yaml(path) or {}) if path.exists() else {}


def entry_points(role: str) -> dict[str, Any]:
    """The role's argument specifications, one for each entry point."""
    return read_optional(ROOT / "roles" / role / "meta" / "argument_specs.yml").get("argument_specs", {})
