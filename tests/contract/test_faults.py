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
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_row_has_its_test(page: Path) -> None:
    """A row is a line of a table below its heading and its rule."""
    rows = [line for line in page.read_text("utf-8").splitlines() if re.match(r"\| (?!fault |---)", line)]
    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_are_there(page: Path) -> None:
    """In tests/testinfra, by file and function."""
    named = set(NAMED.findall(page.read_text("utf-8")))
    texts = {file: (ROOT / "tests" / "testinfra" / file).read_text("utf-8") for file, _test in named}
    assert [f"{file}::{test}" for file, test in sorted(named) if f"\ndef {test}(" not in texts[file]] == []
