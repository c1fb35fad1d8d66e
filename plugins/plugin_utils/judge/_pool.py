# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All clients of a wave together: many show a small harm that no single one can."""

from __future__ import annotations

from math import log

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import (
    failed_counts,
    late_counts,
    added,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    ROLL_BACK,
    Finding,
    Policy,
    number,
    text,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import (
    POOLED_FAILURES,
    POOL_PRIOR,
    POOLED_HARM,
    Counts,
    excluded,
    harm,
)

# Odds that prove harm at the last look, divided by the number of clients that it would hit, and the least. Likelihoods
# are weighed here instead of an error fixed in advance: what hits all costs the more, the more they are.
ODDS, LEAST_ODDS = 30.0, 5.0
# Log odds that exclude harm.
EXCLUDES = log(20)
# Natural share of lost SYNs that a plan reckons with.
USUAL_LOSS = 0.015


def pool(kept: list[Client], policy: Policy, clients: int, last: bool) -> Finding:
    """The clients that are not reverted, of a wave of so many: a veto, for each of them was judged by itself.

    Sums over paths with different natural shares: under equal arms that only narrows the spread of the sums.
    """
    paths = [path for one in kept for path in one.paths if path.plain.ok and path.fast_open.requests]
    if not paths:
        return Finding(PROMOTE, "nobody to judge together")
    late, failed = added([late_counts(path) for path in paths]), added([failed_counts(path) for path in paths])
    limit = log(max(ODDS / len(kept), LEAST_ODDS)) if last else policy.harm_odds(clients, last)
    reasons, figures, proven = [], {}, []
    for name, counts, tolerated, alternatives in (
        ("late", late, 0.0, (POOLED_HARM,)),
        ("failed", failed, policy.max_error_share, POOLED_FAILURES),
    ):
        odds = harm(counts, tolerated, alternatives, POOL_PRIOR)
        words = f"{counts.treated_spoiled} of {counts.treated} {name}, "
        words += f"{counts.reference_spoiled} of {counts.reference} without"
        if odds >= limit:
            proven.append(words)
        reasons.append(f"{words}; odds of harm {text(odds)} (proven at {text(limit)})")
        figures[name] = {
            "fast_open": [counts.treated_spoiled, counts.treated],
            "plain": [counts.reference_spoiled, counts.reference],
            "harm_odds": number(odds),
            "harm_odds_limit": number(limit),
        }
    if proven:
        return Finding(ROLL_BACK, f"worse together, though no single client is: {'; '.join(proven)}", reasons, figures)
    share = excluded(late, EXCLUDES)
    figures["excluded_share"] = round(share, 4)
    who = "1 client excludes" if len(kept) == 1 else f"{len(kept)} clients together exclude"
    if not last and share > POOLED_HARM:
        words = f"{who} {share:.1%} more lost SYNs so far, {POOLED_HARM:.0%} are wanted"
        return Finding(INCONCLUSIVE, words, reasons, figures, more=policy.requests)
    return Finding(PROMOTE, f"{who} {share:.1%} more lost SYNs", reasons, figures)


def smallest_harm(clients: int, policy: Policy) -> float:
    """The smallest extra share of lost SYNs that so many clients can exclude with all requests of their budget."""
    requests = clients * policy.requests
    lost = round(USUAL_LOSS * requests)
    return excluded(Counts(lost, requests, lost, requests), EXCLUDES)
