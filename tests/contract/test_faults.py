# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of a table of faults names its tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _collection import ROOT

PAGES = sorted((ROOT / "docs").glob("faults-*.md"))
NAMED = re.compile(r"`((?:tests/[\w/]+/)?test_\w+\.py)::(test_\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_row_has_its_test(page: Path) -> None:
    """Of the tables whose last column is `test`, below heading and rule."""
    tables = [table.splitlines() for table in re.findall(r"(?:^\|.*\n)+", page.read_text("utf-8"), re.MULTILINE)]
    rows = [row for heading, _rule, *rows in tables if heading.endswith("| test |") for row in rows]
    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_are_there(page: Path) -> None:
    """By file and function; in tests/testinfra where no folder is named."""
    named = set(NAMED.findall(page.read_text("utf-8")))
    paths = {file: ROOT / file if "/" in file else ROOT / "tests" / "testinfra" / file for file, _test in named}
    texts = {file: path.read_text("utf-8") for file, path in paths.items()}
    assert [f"{file}::{test}" for file, test in sorted(named) if f"\ndef {test}(" not in texts[file]] == []
