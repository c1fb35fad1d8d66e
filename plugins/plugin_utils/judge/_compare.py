# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's limits, and what two samples say of each of them: worse, fine, or not known yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, isfinite, log
from typing import Any, NamedTuple, Optional

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import (
    CLIENT_HARM,
    UNACCEPTABLE_SHARE,
    Counts,
    harm,
    safety,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import Shift, z_fixed

PROMOTE, REVERT, INCONCLUSIVE, ROLL_BACK = "promote", "revert", "inconclusive", "roll_back"
WORSE, OPEN, FINE = 1, 0, -1
# SYNs lost, requests failed, time of the leg, time of the first byte.
TESTS = 4
# A wave is looked at twice, see tfo_verdict.
LOOKS = 2
# Of the error that promotion may make, four fifths are spent at the first look and one fifth at the last.
FIRST_LOOK = 0.8
# Requests of a client after which a harm of UNACCEPTABLE_SHARE nearly always has odds that are clear.
MANY, CLEAR = 60, 5.0


@dataclass(frozen=True)
class Policy:
    """The operator's limits. Shares and confidence between 0 and 1, requests an arm and client, ms."""

    confidence: float = 0.95
    requests: int = 100
    max_error_share: float = 0.05
    max_slowdown_ms: float = 20.0
    max_reverted_share: float = 0.1

    def wave_alarm(self) -> float:
        """Probability that anything is wrongly reverted in a whole wave: a fifth of 1 - confidence, 1 % at 95 %."""
        return (1 - self.confidence) / 5

    def false_alarm(self, paths: int) -> float:
        """The same for one test of one of so many paths, or of all together: equal parts of the wave's (Bonferroni)."""
        return self.wave_alarm() / (paths + 1) / TESTS

    def harm_odds(self, paths: int, last: bool) -> float:
        """Log odds that prove harm, by Wald's boundary 1/alpha.

        At the last look only the few that are still undecided are judged: the odds for a whole wave are enough.
        """
        return log(1 / (self.wave_alarm() if last else self.false_alarm(paths)))

    def safe_odds(self, last: bool, requests: int) -> float:
        """Log odds that exclude harm after so many requests, 1/beta at the first look.

        At the last one harm has to be the less likely of the two; after MANY requests of a client it is refuted unless
        the odds for it are clear, for then they would be.
        """
        if not last:
            return log(1 / (FIRST_LOOK * (1 - self.confidence)))
        return -log(CLEAR) if requests >= MANY else 0.0

    def z_slower(self, paths: int) -> float:
        """Normal score of the lower limit of a shift."""
        return z_fixed(1 - self.false_alarm(paths) / LOOKS)

    def z_fast_enough(self) -> float:
        """Normal score of its upper limit."""
        return z_fixed(self.confidence)


@dataclass
class Finding:
    """What came of a judgement.

    ``more`` is how many more requests a kind would help, ``summary`` a line for people, ``reasons`` what decided, with
    odds and limits.
    """

    verdict: str
    summary: str = ""
    reasons: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    more: int = 0

    def plain(self) -> dict[str, Any]:
        """As a result of a module holds it."""
        return {
            "verdict": self.verdict,
            "more": self.more,
            "summary": self.summary,
            "reasons": [self.summary, *self.reasons],
            "figures": self.figures,
        }


def of_paths(found: dict[str, Finding]) -> Finding:
    """The findings of a client's paths, by name, as one: the worst decides. Several are named in the words."""
    worst = min(found.values(), key=lambda one: (REVERT, INCONCLUSIVE, PROMOTE).index(one.verdict))
    total = Finding(worst.verdict, figures={"paths": {name: one.figures for name, one in found.items()}})
    for name, one in found.items():
        where = f"path {name}: " if len(found) > 1 else ""
        if one is worst:
            total.summary = where + one.summary
        total.reasons += [where + reason for reason in ([] if one is worst else [one.summary]) + one.reasons if reason]
        total.more = max(total.more, one.more)
    if total.verdict != INCONCLUSIVE:
        total.more = 0
    return total


class Test(NamedTuple):
    """One question: WORSE, OPEN or FINE; in an operator's words, with odds, and as figures."""

    name: str
    state: int
    words: str
    detail: str
    figures: dict[str, Any]


def shares(name: str, counts: Counts, of_all: Counts, tolerated: float, harm_odds: float, safe_odds: float) -> Test:
    """Whether more than the ``tolerated`` share is spoiled beyond the reference, or UNACCEPTABLE_SHARE is excluded.

    It has to be on this path, and on all of the client's together (``of_all``).
    """
    against, favour = harm(counts, tolerated, CLIENT_HARM), min(safety(one, tolerated) for one in (counts, of_all))
    state = WORSE if against >= harm_odds else FINE if favour >= safe_odds else OPEN
    words = f"{counts.treated_spoiled} of {counts.treated} {name}, {counts.reference_spoiled} of {counts.reference}"
    detail = (
        f"{words} without; odds of harm {text(against)} (proven at {text(harm_odds)}), odds against "
        f"{UNACCEPTABLE_SHARE:.0%} harm {text(favour)} (enough at {text(safe_odds)})"
    )
    figures = {"harm_odds": number(against), "harm_odds_limit": number(harm_odds)}
    figures.update({"safe_odds": number(favour), "safe_odds_limit": number(safe_odds)})
    return Test(name, state, words, detail, figures)


def times(name: str, found: Shift, limit: float) -> Test:
    """Whether a shift in ms is above the limit by its lower limit, or not above it by its upper one."""
    least, most = (f"{end:+.1f}" if isfinite(end) else "unknown" for end in (found.lower, found.upper))
    state = WORSE if found.lower > limit else FINE if found.upper <= limit else OPEN
    return Test(
        name,
        state,
        f"{name} {found.estimate:+.1f} ms",
        f"{name} {found.estimate:+.1f} ms, at least {least} (slower is proven above {limit:+g}), at most {most} ms "
        f"(fine up to {limit:+g})",
        {
            "shift_ms": round(found.estimate, 1),
            "lower_ms": _finite(found.lower),
            "upper_ms": _finite(found.upper),
            "limit_ms": limit,
        },
    )


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
