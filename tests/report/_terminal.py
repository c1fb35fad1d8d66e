# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal's output as an SVG picture: light or dark as its reader's screen is, text that can be selected and read aloud."""

from __future__ import annotations

import re
from html import escape

COLUMNS = 134
"""Where the terminal wraps."""
LETTER_WIDTH, LINE_HEIGHT, MARGIN = 7, 18, 16
COLORS = {"31": "red", "32": "green", "33": "yellow", "34": "blue", "35": "violet", "36": "blue", "90": "grey"}
"""Of ANSI escape sequences; all others are shown as plain text."""
SEQUENCE = re.compile(r"\x1b\[([\d;]*)m")
STYLE = """\
text{font:11.7px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;white-space:pre}
rect{fill:#f6f8fa;stroke:#d0d7de}.red{fill:#b3261e}.green{fill:#116329}.yellow{fill:#7d4e00}.blue{fill:#0550ae}
.violet{fill:#6639ba}.grey{fill:#59636e}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#0d1117;stroke:#30363d}.red{fill:#ff7b72}.green{fill:#56d364}
.yellow{fill:#e3b341}.blue{fill:#79c0ff}.violet{fill:#d2a8ff}.grey{fill:#9198a1}}"""

Letter = tuple[str, str]
"""A character and its color, '' for the usual one."""


def picture(text: str, title: str) -> str:
    """The SVG."""
    lines = [line for shown in letters(text) for line in wrapped(shown)]
    width, height = COLUMNS * LETTER_WIDTH + 2 * MARGIN, len(lines) * LINE_HEIGHT + 2 * MARGIN
    drawn = [
        f'<text x="{MARGIN}" y="{MARGIN + (number + 1) * LINE_HEIGHT - 5}">{_spans(line)}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def letters(text: str) -> list[list[Letter]]:
    """Line by line."""
    color, lines = "", []
    for line in text.rstrip("\n").split("\n"):
        shown: list[Letter] = []
        for number, piece in enumerate(SEQUENCE.split(line)):
            if number % 2:
                color = next((COLORS[code] for code in piece.split(";") if code in COLORS), "")
            else:
                shown += [(letter, color) for letter in piece]
        lines.append(shown)
    return lines


def wrapped(line: list[Letter]) -> list[list[Letter]]:
    """As a terminal goes on in its next line."""
    return [line[start : start + COLUMNS] for start in range(0, len(line), COLUMNS)] or [[]]


def _spans(line: list[Letter]) -> str:
    """Each of one color, and as wide as its letters are in any font."""
    spans, start = [], 0
    while start < len(line):
        color = line[start][1]
        end = next((number for number in range(start, len(line)) if line[number][1] != color), len(line))
        words = "".join(letter for letter, _color in line[start:end])
        place = f'x="{MARGIN + start * LETTER_WIDTH}" textLength="{len(words) * LETTER_WIDTH}"'
        colored = f' class="{color}"' if color else ""
        spans.append(f"<tspan {place}{colored}>{escape(words)}</tspan>")
        start = end
    return "".join(spans)
