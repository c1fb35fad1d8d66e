# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README names whatever there is to use, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _collection import MODULES, PLAYBOOKS, ROLES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"fastopen\.shadowsocks\.(\w+)", README))


@pytest.mark.parametrize("name", [*MODULES, *PLAYBOOKS, *ROLES])
def test_readme_names(name: str) -> None:
    assert name in NAMED, f"README.md does not name fastopen.shadowsocks.{name}"


def test_readme_names_nothing_else() -> None:
    plugins = {path.stem for path in (ROOT / "plugins").glob("*/[!_]*.py")}
    assert NAMED <= {*MODULES, *PLAYBOOKS, *ROLES, *plugins}


@pytest.mark.parametrize(("side", "folder"), [("on the host", "module_utils"), ("on the controller", "plugin_utils")])
def test_architecture_names_every_room(side: str, folder: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition(f"| {side} (`{folder}`) | |\n")[2].partition("\n\n")[0]
    rooms = {path.parent.name for path in (ROOT / "plugins" / folder).glob("*/_*.py")}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == rooms


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    """The pages of docs/ are held to theirs by the gate site."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []
