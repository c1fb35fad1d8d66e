# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge sees and what it cannot, as one small picture for docs/decisions.md."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _svg
from markupsafe import Markup

CASES = {
    "loss 2 %": "nothing is wrong",
    "2% more, loss 2 %": "2 % more are lost",
    "5% more, loss 2 %": "5 % more",
    "10% more, loss 2 %": "10 % more",
}
SIZES = {5: "5 clients", 20: "20 clients"}
WIDTH, LEFT, TOP, ROW, BAR = 640, 150, 52, 44, 14
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 } .few { fill: #0969da } .many { fill: #8250df } .axis { stroke: #8c959f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .few { fill: #58a6ff } .many { fill: #bc8cff } }
"""


def draw(promoted: Mapping[tuple[str, int], float]) -> str:
    """An SVG of the share of waves promoted in percent, by the table's row and the wave's size."""
    places = _svg.Scale(0.0, 100.0, LEFT, WIDTH - 60)
    content = [_svg.element("style", Markup(STYLE))]
    content.append(_svg.label(8, 20, "Waves promoted, in percent; natural loss of SYNs 2 %", "head"))
    for number, (size, kind) in enumerate(zip(SIZES, ("few", "many"))):
        x = LEFT + 110 * number
        content.append(_svg.element("rect", x=x, y=30, width=10, height=10, class_=kind))
        content.append(_svg.label(x + 16, 40, SIZES[size]))
    for row, (case, words) in enumerate(CASES.items()):
        y = TOP + ROW * row
        content.append(_svg.label(8, y + BAR + 4, words))
        for number, (size, kind) in enumerate(zip(SIZES, ("few", "many"))):
            share, top = promoted[case, size], y + number * (BAR + 2)
            width = max(places(share) - LEFT, 1.0)
            content.append(_svg.element("rect", x=LEFT, y=top, width=width, height=BAR, class_=kind))
            content.append(_svg.label(LEFT + width + 6, top + BAR - 2, f"{share:.3g}"))
    height = TOP + ROW * len(CASES)
    content.append(_svg.line(LEFT, TOP - 4, LEFT, height - 6, "axis"))
    described = "; ".join(
        f"{words}: {promoted[case, 5]:.3g} of waves of 5, {promoted[case, 20]:.3g} of waves of 20"
        for case, words in CASES.items()
    )
    picture = _svg.picture(WIDTH, height, "What the judge sees of lost SYNs", described, *content)
    return str(picture).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"
