# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A witness: the plain traffic of a client to servers that have stepped, before and after, beyond that of a control."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Arm, Client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    REVERT,
    WORSE,
    Finding,
    Policy,
    Test,
    of_paths,
    shares,
    times,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import Counts
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import Shift, mean, shift

# By so much of itself a path may become slower between two measurements without anybody's fault: routes and radio
# change over minutes, and a few controls do not tell by how much.
WANDER = 0.25
NOT_JUDGED = "shown, not judged: no client of another server to compare with"


class Control(NamedTuple):
    """Plain requests before and after the step of paths to servers outside the batch."""

    pairs: list[tuple[Arm, Arm]]

    @classmethod
    def of(cls, clients: dict[str, Client], before: dict[str, Client]) -> Control:
        """The paths of these clients that were answered both times."""
        pairs = [
            (before[name].path(path.key).plain, path.plain)
            for name, client in clients.items()
            if name in before
            for path in client.paths
        ]
        return cls([(then, now) for then, now in pairs if then.ok and now.ok])

    def drift(self, z: float) -> Shift:
        """By how much the first byte came later everywhere, in ms."""
        return mean([shift(then.ttfb_ms, now.ttfb_ms, z, z) for then, now in self.pairs])

    def extra(self, late: bool) -> float:
        """Share of requests that were late or failed beyond those before."""
        counts = [_counts(then, now, late) for then, now in self.pairs]
        return max(0.0, sum(counts, Counts(0, 0, 0, 0)).excess())


def judge_witness(before: Client, now: Client, control: Control, policy: Policy, witnesses: int, last: bool) -> Finding:
    """Verdict over one of so many witnesses. Worse is what is proven beyond the control; it need not be excluded, for
    plain requests to a server that accepts TCP Fast Open are what they were."""
    left = 0 if last else max(policy.requests - now.plain.requests, 0)
    if not now.paths:
        return Finding(INCONCLUSIVE, "no data: nothing was measured since the step", more=left)
    paths = witnesses * len(now.paths)
    return of_paths(
        {
            path.label: _judge_path(before.path(path.key).plain, path.plain, control, policy, paths, left)
            for path in now.paths
        }
    )


def _judge_path(before: Arm, now: Arm, control: Control, policy: Policy, paths: int, left: int) -> Finding:
    figures = {"before": _figures(before), "after": _figures(now)}
    if not before.ok:
        return Finding(INCONCLUSIVE, "no data: no plain request was answered before the step", figures=figures)
    harm_odds = policy.harm_odds(paths, left == 0)
    tests = []
    for name, late, tolerated in (("late", True, 0.0), ("failed", False, policy.max_error_share)):
        counts = _counts(before, now, late)
        beyond = control.extra(late) if control.pairs else 0.0
        tests.append(
            shares(name, counts, counts, tolerated + beyond, harm_odds, policy.safe_odds(left == 0, now.requests))
        )
    if not control.pairs:
        return _shown(before, now, tests[1], figures, left)
    leaning = any(test.figures["harm_odds"] > 1 for test in tests)
    drift = Shift(0.0, 0.0, 0.0)
    if now.ok:
        z = policy.z_slower(paths)
        drift = control.drift(z)
        beyond_control = shift(before.ttfb_ms, now.ttfb_ms, z, z).less(drift)
        limit = max(policy.max_slowdown_ms, round(WANDER * median(before.ttfb_ms), 1))
        tests.append(times("first byte", beyond_control, limit))
        leaning = leaning or beyond_control.estimate > limit
    figures.update({test.name.replace(" ", "_"): test.figures for test in tests})
    reasons = [f"since the step, beyond the control: {test.detail}" for test in tests]
    worse = [test for test in tests if test.state == WORSE]
    if worse:
        words = worse[0].words + (" before" if worse[0].name != "first byte" else " beyond the control")
        return Finding(REVERT, f"plain traffic is worse since the step: {words}", reasons, figures)
    if leaning and left:
        return Finding(INCONCLUSIVE, f"measures {left} more: {_change(before, now)}", reasons, figures, left)
    if not now.ok:
        words = f"none of {now.requests} plain requests was answered since the step"
        return Finding(INCONCLUSIVE, words, reasons, figures)
    return Finding(PROMOTE, f"as before: {_change(before, now)}, control {drift.estimate:+.1f} ms", reasons, figures)


def _shown(before: Arm, now: Arm, failed: Test, figures: dict, left: int) -> Finding:
    """Without a control nothing is judged; but requests that were answered before and are no more are no pass."""
    if failed.state == WORSE or not now.ok:
        words = f"requests fail since the step ({failed.words} before), and no client of another server tells why"
        return Finding(INCONCLUSIVE, words, [failed.detail], figures)
    return Finding(PROMOTE, f"{NOT_JUDGED}; {_change(before, now)}", [], figures)


def _counts(before: Arm, now: Arm, late: bool) -> Counts:
    """Failed requests before and after; with ``late`` lost SYNs, or late requests where those were not seen."""
    if not late:
        return Counts(now.failed, now.requests, before.failed, before.requests)
    if before.seen and now.seen:
        return Counts(now.lost(False), len(now.connections), before.lost(False), len(before.connections))
    base = before.baseline()
    return Counts(now.late(base), now.ok, before.late(base), before.ok)


def _change(before: Arm, now: Arm) -> str:
    """First-byte medians and failures."""
    if not now.ok:
        return f"{now.failed} of {now.requests} failed"
    then, since = median(before.ttfb_ms), median(now.ttfb_ms)
    return f"{since - then:+.1f} ms ({then:.1f} → {since:.1f}), {now.failed} of {now.requests} failed"


def _figures(arm: Arm) -> dict[str, int]:
    return {"requests": arm.requests, "failed": arm.failed}
