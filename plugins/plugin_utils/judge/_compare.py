# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One client: is the treated arm worse than its reference, as good, or not known yet?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, isfinite, log
from typing import Any, Optional

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import (
    CLIENT_HARM,
    STEP,
    UNACCEPTABLE_SHARE,
    Counts,
    Odds,
    decide,
    harm,
    safety,
    wanted,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import shift, z_fixed, z_sequential
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import LATE_MS, Arm

PROMOTE, REVERT, INCONCLUSIVE = "promote", "revert", "inconclusive"
# Requests spoiled, requests failed, times shifted.
TESTS = 3
# Of the error that promotion may make, four fifths are spent on the way and one fifth at the end of the budget.
ON_THE_WAY = 0.8


@dataclass(frozen=True)
class Policy:
    """The operator's limits. Shares and confidence between 0 and 1, requests an arm and client, ms."""

    confidence: float = 0.95
    requests: int = 100
    max_error_share: float = 0.01
    max_slowdown_ms: float = 20.0
    max_reverted_share: float = 0.1

    def wave_alarm(self) -> float:
        """Probability that anything is wrongly reverted in a whole wave: a fifth of 1 - confidence, 1 % at 95 %."""
        return (1 - self.confidence) / 5

    def false_alarm(self, clients: int) -> float:
        """The same for one test of one client, or of all together: equal parts of the wave's (Bonferroni)."""
        return self.wave_alarm() / (clients + 1) / TESTS

    def odds(self, clients: int, ended: bool) -> Odds:
        """Wald's boundaries, 1/alpha to call it harm and 1/beta to call it safe.

        When the budget has ended there is one look only, and only the few that are still undecided get it: harm then
        needs no more than the odds for a whole wave, and safety that it is the likelier of the two.
        """
        if ended:
            return Odds(log(1 / self.wave_alarm()), 0.0)
        return Odds(log(1 / self.false_alarm(clients)), log(1 / (ON_THE_WAY * (1 - self.confidence))))

    def left(self, treated: Arm) -> int:
        """Requests that the budget still has for an arm."""
        return max(self.requests - treated.requests, 0)


@dataclass
class Finding:
    """What came of a judgement; ``more`` is how many more requests an arm it asks for, ``reasons[0]`` the summary."""

    verdict: str
    more: int = 0
    reasons: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def compare(reference: Arm, treated: Arm, policy: Policy, clients: int, names: tuple[str, str]) -> Finding:
    """Judge the treated arm against its reference in a wave of so many clients; ``names`` are for the reasons.

    Harm in one of spoiled requests (failed or late), failed requests and first-byte time reverts; promotion needs all
    three clear. Ends as inconclusive when the budget of requests does.
    """
    left = policy.left(treated)
    if not reference.requests or not treated.requests:
        empty = names[1] if reference.requests else names[0]
        return Finding(INCONCLUSIVE, min(STEP, left), [f"no data: no request of the kind {empty!r} was measured"])
    if not reference.ok:
        more = 0 if reference.requests >= STEP else min(STEP, left)
        reason = f"none of {reference.requests} requests of the kind {names[0]!r} was answered: nothing to compare with"
        return Finding(INCONCLUSIVE, more, [f"{reason}; repair that first, then measure again"])

    odds = policy.odds(clients, left == 0)
    baseline = reference.baseline()
    late = (reference.late(baseline), treated.late(baseline))
    spoiled = Counts(treated.failed + late[1], treated.requests, reference.failed + late[0], reference.requests)
    failed = Counts(treated.failed, treated.requests, reference.failed, reference.requests)
    states, mores, reasons = {}, [0], []
    figures: dict[str, Any] = {"late_ms": LATE_MS, "baseline_ms": round(baseline, 1)}
    figures[names[0]] = {"requests": reference.requests, "failed": reference.failed, "late": late[0]}
    figures[names[1]] = {"requests": treated.requests, "failed": treated.failed, "late": late[1]}
    for label, counts in (("failed or late", spoiled), ("failed", failed)):
        states[label] = decide(counts, policy.max_error_share, odds)
        if states[label] == 0:
            mores.append(wanted(counts, policy.max_error_share, odds, left))
        reason, figures[label.replace(" ", "_")] = _odds(label, counts, policy, odds, names)
        reasons.append(reason)
    if not treated.failed + reference.failed:
        reasons.pop()
    if treated.ok:
        states["first byte"], reason, figures["first_byte"] = _slowdown(reference, treated, policy, clients, names)
        if states["first byte"] == 0:
            mores.append(min(max(STEP, treated.requests // 2), left))
        reasons.append(reason)

    worse = [label for label, state in states.items() if state == 1]
    if worse:
        return Finding(REVERT, 0, [f"worse: {', '.join(worse)}", *reasons], figures)
    unclear = [label for label, state in states.items() if state == 0]
    if unclear:
        what = f"wants {max(mores)} more requests" if left else f"not clear after all {policy.requests} requests"
        return Finding(INCONCLUSIVE, max(mores), [f"{what}: {', '.join(unclear)}", *reasons], figures)
    return Finding(PROMOTE, 0, [f"fine after {treated.requests} requests", *reasons], figures)


def _odds(
    label: str, counts: Counts, policy: Policy, odds: Odds, names: tuple[str, str]
) -> tuple[str, dict[str, float]]:
    """Reason and figures of a comparison of shares."""
    against, favour = harm(counts, policy.max_error_share, CLIENT_HARM), safety(counts)
    reason = (
        f"{label}: {names[1]} {counts.treated_spoiled} of {counts.treated}, "
        f"{names[0]} {counts.reference_spoiled} of {counts.reference}; odds of harm {text(against)} "
        f"(proven at {text(odds.harm)}), odds against {UNACCEPTABLE_SHARE:.0%} harm {text(favour)} "
        f"(enough at {text(odds.safe)})"
    )
    return reason, {
        "harm_odds": number(against),
        "harm_odds_limit": number(odds.harm),
        "safe_odds": number(favour),
        "safe_odds_limit": number(odds.safe),
    }


def _slowdown(
    reference: Arm, treated: Arm, policy: Policy, clients: int, names: tuple[str, str]
) -> tuple[int, str, dict[str, Any]]:
    """State as in ``decide``, reason and figures of the shift of the first-byte time (answered requests).

    At the end of the budget the estimate has to be within the limit, before it the upper confidence limit.
    """
    found = shift(
        reference.ttfb_ms,
        treated.ttfb_ms,
        z_sequential(policy.false_alarm(clients), min(reference.ok, treated.ok)),
        z_fixed(policy.confidence),
    )
    limit = policy.max_slowdown_ms
    figures = {
        "shift_ms": round(found.estimate, 1),
        "lower_ms": _finite(found.lower),
        "upper_ms": _finite(found.upper),
        "limit_ms": limit,
    }
    least = f"{found.lower:+.1f}" if isfinite(found.lower) else "unknown"
    most = f"{found.upper:+.1f}" if isfinite(found.upper) else "unknown"
    reason = (
        f"first byte: {names[1]} {found.estimate:+.1f} ms against {names[0]}; at most {most} ms "
        f"(fine up to {limit:+g} ms), at least {least} ms (slower is proven above that)"
    )
    decisive = found.upper if policy.left(treated) else found.estimate
    return 1 if found.lower > limit else -1 if decisive <= limit else 0, reason, figures


def number(log_odds: float) -> float:
    """Odds for the figures, four digits; capped where a float ends."""
    return float(f"{exp(max(min(log_odds, 600.0), -600.0)):.4g}")


def text(log_odds: float) -> str:
    """Odds as an operator reads them: 230:1, or 1:12."""
    size = exp(min(abs(log_odds), 600.0))
    shown = f"{size:.3g}" if size < 1000 else f"{size:.0f}" if size < 1e6 else "over 1000000"
    return f"{shown}:1" if log_odds >= 0 else f"1:{shown}"


def _finite(value: float) -> Optional[float]:
    """Tenths of ms; None for a limit that the samples are too small for (infinity is no JSON)."""
    return round(value, 1) if isfinite(value) else None
