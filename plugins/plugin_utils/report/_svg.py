# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of inline SVG: every text is escaped, colours are classes of the page's style sheet, numbers are short."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from markupsafe import Markup

LOGARITHMIC_FROM = 6.0
"""From this ratio of the longest to the shortest time on an axis shows orders of magnitude."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """From a value in ``low`` to ``high`` to a place between ``left`` and ``right``; values outside stay at the ends."""

    low: float
    high: float
    left: float
    right: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, one = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, one = math.log(low), math.log(high), math.log(one)
        return self.left + (one - low) / (high - low) * (self.right - self.left)

    def ticks(self, most: int = 7, steps: t.Optional[t.Sequence[float]] = None) -> list[float]:
        """Round values on the axis, multiples of one of ``steps`` where they are given."""
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        else:
            step = next(one for one in (*(steps or ()), *_steps()) if (self.high - self.low) / one <= most)
            found = [step * number for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        return [one for one in found if self.low <= one <= self.high]


def scale(values: t.Sequence[float], left: float, right: float) -> Scale:
    """An axis that holds all values, which are above 0."""
    low, high = max(min(values), 0.01), max(*values, 0.02)
    if high / low >= LOGARITHMIC_FROM:
        return Scale(low / 1.15, high * 1.15, left, right, logarithmic=True)
    spare = max((high - low) * 0.06, high * 0.02)
    return Scale(max(low - spare, 0.0), high + spare, left, right)


def _steps() -> t.Iterator[float]:
    for power in range(-3, 12):
        yield from (10.0**power, 2 * 10.0**power, 5 * 10.0**power)


def short(value: float) -> str:
    """A coordinate with one digit at most."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, *content: t.Any, **attributes: t.Any) -> Markup:
    """An element; a float attribute is short, `_` in a name is `-`, and what was Markup stays."""
    told = Markup("").join(
        Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(content)
    tag = Markup(name)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, told, inside) if inside else Markup("<{}{}/>").format(tag, told)


def picture(width: int, height: int, title: str, described: str, *content: t.Any, kind: str = "plot") -> Markup:
    """An SVG with a name and a description for those who cannot see it."""
    told = (element("title", title), element("desc", described))
    box = f"0 0 {width} {height}"
    return element("svg", *told, *content, viewBox=box, role="img", class_=kind, width=width, height=height)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A line."""
    return element("path", d=f"M{short(x1)} {short(y1)}L{short(x2)} {short(y2)}", class_=kind)


def label(x: float, y: float, words: str, kind: str = "label", anchor: t.Optional[str] = None) -> Markup:
    """A text at its base line."""
    return element("text", words, x=x, y=y, class_=kind, text_anchor=anchor)


def dots(places: t.Iterable[tuple[float, float]], kind: str) -> Markup:
    """Dots as one path: strokes without length, with the style's line caps. Those at one place are drawn once."""
    once = dict.fromkeys((round(x), round(y)) for x, y in places)
    return element("path", d="".join(f"M{x} {y}h0" for x, y in once), class_=kind) if once else Markup("")


def _value(value: t.Any) -> str:
    return short(value) if isinstance(value, float) else str(value)
