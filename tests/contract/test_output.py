# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said for people stands in results: whatever callback is chosen, its stdout is its own (field: C)."""

from __future__ import annotations

import re

import pytest
from _collection import ROOT

FOLLOWS = "plugins/action/tfo_status.py"
"""With status_watch alone it shows a line a change, while its one task runs."""
SOURCES = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("plugins/*/**/*.py"))]


@pytest.mark.parametrize("source", [path for path in SOURCES if not path.startswith("plugins/callback/")])
def test_only_callbacks_show_anything(source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")
    shown = re.findall(r"_display\.display\b|\bprint\(|sys\.stdout\b", text)
    on_the_host = source.startswith("plugins/module_utils/")  # its program has a console of its own
    assert shown == [] or on_the_host or source == FOLLOWS
