# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of ansible-core: what is required, promised, pinned and run by CI is the same."""

from __future__ import annotations

import re

import pytest
from _collection import ROLES, ROOT, read_yaml

OLDEST = read_yaml(ROOT / "meta" / "runtime.yml")["requires_ansible"].removeprefix(">=")
OLDEST_MINOR = OLDEST.rpartition(".")[0]
PINNED = re.findall(
    r"^ansible-core ~= (\d+\.\d+)\.0 ; python_version [<>=]+ \"([\d.]+)\"",
    (ROOT / "requirements" / "development.in").read_text(encoding="utf-8"),
    re.MULTILINE,
)
FIRST_PYTHON = "3.11"
"""`python_version < "3.12"` names no version: it is the oldest that the tools run on."""
TESTED = [(OLDEST, FIRST_PYTHON)] + [
    (core, FIRST_PYTHON if n == 0 else python) for n, (core, python) in enumerate(PINNED)
]


def test_the_oldest_is_of_the_oldest_that_is_pinned() -> None:
    assert PINNED[0][0] == OLDEST_MINOR


@pytest.mark.parametrize("role", ROLES)
def test_roles_require_it(role: str) -> None:
    meta = read_yaml(ROOT / "roles" / role / "meta" / "main.yml")
    assert meta["galaxy_info"]["min_ansible_version"] == OLDEST_MINOR


def test_documentation() -> None:
    page = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| tested", page, re.MULTILINE) == TESTED
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"ansible-core {OLDEST} or later" in readme


def test_ci() -> None:
    rows = read_yaml(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["controllers"]["strategy"]["matrix"]["include"]
    assert [(row["core"], row["python"]) for row in rows] == TESTED
    assert [row["core"] for row in rows if row["gates"] == "oldest"] == [OLDEST]
