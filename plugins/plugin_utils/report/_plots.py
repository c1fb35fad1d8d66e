# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of a report: the time line of a run, first-byte times of both arms, gains beside round trips."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import LATE_MS
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._figures import Pair, Times
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._run import Run
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._svg import (
    Scale,
    dots,
    element,
    label,
    line,
    picture,
    scale,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._words import (
    milliseconds,
    requests,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import duration
from markupsafe import Markup

WIDTH, NAMES, RESULTS = 920, 112, 140
"""Of the large pictures, in pixels: the whole, the names at the left, and what came of it at the right."""
MOST_LETTERS = 21
"""What has room there."""
LANE, SMALL_WIDTH, SMALL_LANE = 44, 320, 14
ROW = 26
CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
"""Steps of the time line in seconds."""
SPREAD = 0.618034
"""Dots of one lane are spread over its height by multiples of the golden section: evenly, and the same each time."""
PHASE_KINDS = {"measures before": "before", "steps": "step", "bakes and measures": "bake", "settles": "settle"}


def timeline(run: Run) -> t.Optional[Markup]:
    """A row a wave, with its phases in their time and its verdict; None without times."""
    phases = [phase for wave in run.waves for phase in wave.phases]
    if not phases:
        return None
    start = min([phase.begin for phase in phases] + ([run.started] if run.started else []))
    seconds = max((max(phase.end for phase in phases) - start).total_seconds(), 0.001)
    axis = Scale(0.0, seconds, NAMES, WIDTH - RESULTS)
    height = ROW * len(run.waves) + 24
    drawn = [_tick(axis, tick, height, duration(tick)) for tick in axis.ticks(6, CLOCK)]
    told = []
    for number, wave in enumerate(run.waves):
        top = ROW * number + 4.0
        drawn.append(label(NAMES - 8, top + 13, wave.name, anchor="end"))
        for phase in wave.phases:
            begin, end = ((one - start).total_seconds() for one in (phase.begin, phase.end))
            kind = f"phase {PHASE_KINDS.get(phase.word, 'step')}"
            words = f"{wave.name} {phase.word}: {duration(end - begin)}"
            width = max(axis(end) - axis(begin), 1.0)
            drawn.append(
                element("rect", element("title", words), x=axis(begin), y=top, width=width, height=18, class_=kind)
            )
            told.append(words)
        verdict = wave.ended or ("not begun" if not wave.phases else "not decided")
        drawn.append(label(WIDTH - RESULTS + 8, top + 13, _short(verdict), f"label {wave.verdict}"))
        told.append(f"{wave.name}: {verdict}")
    return picture(WIDTH, height, "Time line of the waves", "; ".join(told) + ".", *drawn)


def _short(words: str) -> str:
    """What has room beside the lanes: all of it, or its first part."""
    return words if len(words) <= MOST_LETTERS else words.partition(",")[0]


def first_bytes(arms: t.Sequence[Times], title: str) -> t.Optional[Markup]:
    """Every request of two arms as a dot, failed ones at the right edge, with quantiles, and where a request counts as
    late; None without times."""
    values = [time for arm in arms for time in arm.ttfb_ms]
    if not values:
        return None
    axis = scale(values, NAMES, WIDTH - RESULTS)
    height = (LANE + 12) * len(arms) + 26
    drawn = [_tick(axis, tick, height, f"{tick:g} ms") for tick in axis.ticks()]
    reference = sorted(arms[0].ttfb_ms)
    late = reference[(len(reference) - 1) // 4] + LATE_MS if reference else axis.high
    if late < axis.high:
        drawn += [
            line(axis(late), 0, axis(late), height - 20, "late"),
            label(axis(late) + 4, 10, "late", "label quiet"),
        ]
    for number, arm in enumerate(arms):
        top, kind = (LANE + 12) * number + 4.0, ("first", "second")[number]
        drawn.append(label(NAMES - 8, top + LANE / 2 + 4, arm.name, anchor="end"))
        drawn.append(_lane(arm, axis, top, LANE, f"dots {kind}"))
        drawn += _quantiles(arm, axis, top, LANE, kind)
        drawn.append(label(WIDTH - RESULTS + 8, top + 16, f"median {milliseconds(arm.median)}"))
        quiet = f"{arm.failed} failed, {arm.late} late" if arm.requests else "no request"
        drawn.append(label(WIDTH - RESULTS + 8, top + 34, quiet, "label quiet"))
    return picture(WIDTH, height, title, " ".join(requests(arm) for arm in arms), *drawn)


def small(pair: Pair, axis_values: t.Sequence[float]) -> Markup:
    """One path in a table: the same, in two narrow lanes, on the axis of its table."""
    values = [*axis_values] or [1.0]
    axis = scale(values, 4, SMALL_WIDTH - 4)
    drawn = []
    for number, arm in enumerate((pair.first, pair.second)):
        top, kind = number * (SMALL_LANE + 3) + 2.0, ("first", "second")[number]
        drawn.append(_lane(arm, axis, top, SMALL_LANE, f"dots small {kind}"))
        drawn += _quantiles(arm, axis, top, SMALL_LANE, kind)[-1:]
    told = " ".join(requests(arm) for arm in (pair.first, pair.second))
    return picture(SMALL_WIDTH, 2 * (SMALL_LANE + 3) + 2, pair.label, told, *drawn, kind="small")


def gains(pairs: t.Sequence[Pair]) -> t.Optional[Markup]:
    """Of every path what it gained beside its round trip; the line is a gain of one round trip. None without figures."""
    known = [(pair.rtt_ms, pair.gain_ms) for pair in pairs if pair.rtt_ms is not None and pair.gain_ms is not None]
    if not known:
        return None
    right, bottom = 560.0, 250.0
    most = max(max(trip, gain) for trip, gain in known) * 1.15
    least = max(min(gain for _trip, gain in known), -most / 2) * 1.15
    across, upward = Scale(0.0, most, 56, right), Scale(min(least, 0.0), most, bottom, 8)
    drawn = [_tick(across, tick, bottom + 20, f"{tick:g} ms") for tick in across.ticks(6)]
    for tick in upward.ticks(5):
        drawn.append(line(56, upward(tick), right, upward(tick), "grid"))
        drawn.append(label(50, upward(tick) + 4, f"{tick:g}", "label quiet", "end"))
    drawn.append(line(across(0), upward(0), across(most), upward(most), "diagonal"))
    drawn.append(dots(((across(trip), upward(gain)) for trip, gain in known), "dots large second"))
    drawn.append(label(right + 12, upward(most) + 4, "one round trip", "label quiet"))
    drawn.append(label(right + 12, upward(0) + 4, "no gain", "label quiet"))
    shares = sorted(gain / trip for trip, gain in known)
    described = (
        f"{len(known)} paths; gains from {milliseconds(min(gain for _trip, gain in known))} to "
        f"{milliseconds(max(gain for _trip, gain in known))}, in the median {shares[len(shares) // 2]:.0%} of a round trip."
    )
    return picture(
        int(right) + 110,
        int(bottom) + 24,
        "Gain of the first byte beside the round trip of its path",
        described,
        *drawn,
    )


def _tick(axis: Scale, value: float, height: float, words: str) -> Markup:
    at = axis(value)
    return Markup("").join(
        [line(at, 0, at, height - 16, "grid"), label(at, height - 3, words, "label quiet", "middle")]
    )


def _lane(arm: Times, axis: Scale, top: float, height: float, kind: str) -> Markup:
    spread = (height - 6) if height > SMALL_LANE else height - 4
    heights = [top + 3 + spread * (number * SPREAD % 1) for number in range(arm.requests)]
    answered = dots(zip(map(axis, arm.ttfb_ms), heights), kind)
    return answered + dots(((axis.right + 2, at) for at in heights[len(arm.ttfb_ms) :]), f"{kind} failing")


def _quantiles(arm: Times, axis: Scale, top: float, height: float, kind: str) -> list[Markup]:
    """The tenth to the ninetieth percentile as a bar, and the median."""
    low, middle, high = arm.quantile(0.1), arm.median, arm.quantile(0.9)
    if low is None or middle is None or high is None:
        return []
    foot = top + height + 3
    return [
        line(axis(low), foot, axis(high), foot, f"spread {kind}"),
        line(axis(middle), top, axis(middle), top + height, f"median {kind}"),
    ]
