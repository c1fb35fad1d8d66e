# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a terminal in the documentation: of a run over the fleet of containers, recorded by tests/demo/demo.py --record."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from _terminal import COLUMNS, picture

HERE = Path(__file__).parent
RECORDED = HERE / "recorded" / "rollout.txt"
PICTURE = HERE.parents[1] / "docs" / "rollout.svg"
TYPED = "$ ansible-playbook -i inventory.yml fastopen.shadowsocks.rollout\n"
TITLE = "A rollout on a terminal: its plan, its batches and waves, and how it has ended"
MOST_BYTES = 30_000


def test_picture_of_the_documentation() -> None:
    """It is that of what was recorded; with FASTOPEN_PICTURES set it is drawn anew."""
    drawn = picture(TYPED + RECORDED.read_text(encoding="utf-8"), TITLE)
    if os.environ.get("FASTOPEN_PICTURES"):
        PICTURE.write_text(drawn, encoding="utf-8")
    assert PICTURE.read_text(encoding="utf-8") == drawn
    assert len(drawn) < MOST_BYTES
    assert not re.search(r"/(root|home|tmp)/|embedded-fleet", drawn)


def test_colors_and_wrapping() -> None:
    """A color ends where the terminal says so, a long line goes on below; whatever it says is text."""
    drawn = ET.fromstring(picture(f"\x1b[0;31m<b>bad\x1b[0m & good\n\n{'x' * COLUMNS}yz", "t"))
    lines = drawn.findall("{*}text")
    spans = [[(span.get("class"), span.text) for span in line] for line in lines]
    assert spans == [[("red", "<b>bad"), (None, " & good")], [(None, "x" * COLUMNS)], [(None, "yz")]]
    assert [int(line.get("y") or 0) for line in lines] == [29, 65, 83]
