# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wave of clients, or a batch of servers seen by its clients: promote, roll_back or inconclusive.

- A client that is worse with fast open than without is to be reverted; too many of those roll the wave back.
- Whoever is left is pooled: many clients together show a small harm that no single one can.
- Earlier measurements, where given, tell whether plain traffic suffers since the step; clients outside the wave are the
  control for that: when they suffer likewise, the step is not to blame.
- Servers: restarts since the step, and whether they take the SYN data that they are sent.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import judge_client, success
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    REVERT,
    Finding,
    Policy,
    compare,
    number,
    text,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import (
    POOLED_HARM,
    STEP,
    Counts,
    harm,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import detectable_share
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Client, Server

ROLL_BACK = "roll_back"
Clients = dict[str, Client]


def judge(
    stage: str,
    hosts: list[str],
    clients: Clients,
    before: Clients,
    servers: dict[str, Server],
    policy: Policy,
    earlier: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """The verdict over ``hosts``, with every reason and figure; the other ``clients`` are the control.

    ``earlier``: of how many clients earlier waves of the run were judged, and how many of them were bad.
    ``stage`` is the one just entered: ``send`` (the hosts have fast open, judged against plain) or ``accept`` (their
    servers have, the hosts' plain traffic is judged against ``before``).
    """
    size = len(hosts)
    suffering, control = _since_before(hosts, clients, before, policy)
    started = any(clients[name].plain.requests for name in hosts if name in clients)
    found = {}
    for name in hosts:
        now = clients.get(name, Client())
        if stage == "send":
            found[name] = judge_client(now, policy, size)
        else:
            found[name] = compare(before.get(name, Client()).plain, now.plain, policy, size, ("before", "after"))
        _settle_missing(found[name], now, started)
    outside = bool(control) and _share(control) > policy.max_reverted_share
    if stage == "send":
        _add_suffering(found, suffering, outside)
    served = {name: _judge_server(server, policy, size) for name, server in servers.items()}
    reverted = [name for name, finding in found.items() if finding.verdict == REVERT]
    kept = [clients[name] for name in hosts if name not in reverted and name in clients]
    pooled = _pool(kept, policy, size) if stage == "send" else Finding(PROMOTE)

    against, open_points = [], []
    judged_by_share = stage == "send" or not outside
    if size == 0:
        open_points.append("no client to judge: no data is never a pass")
    elif judged_by_share and _too_many(stage, len(reverted), size, policy, earlier):
        against.append(
            f"{len(reverted)} of {size} clients are worse ({', '.join(reverted)}): with earlier waves {earlier[1] + len(reverted)}"
            f" of {earlier[0] + size}, more than {policy.max_reverted_share:.0%} (rollout_max_reverted_share), or all of them"
        )
    if outside and (reverted if stage == "accept" else any(suffering.values())):
        open_points.append(
            "plain traffic outside the wave is worse as well: find out what else changed, then measure again"
        )
    for name, finding in [*found.items(), *served.items(), ("kept clients", pooled)]:
        if finding.verdict == ROLL_BACK:
            against.append(f"{name}: {finding.reasons[0]}")
        elif finding.verdict == INCONCLUSIVE:
            open_points.append(f"{name}: {finding.reasons[0]}")

    verdict = ROLL_BACK if against else INCONCLUSIVE if open_points else PROMOTE
    measure = _measure(found, [pooled, *served.values()], clients, policy) if verdict == INCONCLUSIVE else {}
    coverage = _coverage([clients[name] for name, finding in found.items() if finding.verdict != INCONCLUSIVE], policy)
    return {
        "verdict": verdict,
        "more": max(measure.values(), default=0),
        "measure": measure,
        "revert": reverted if stage == "send" else [],
        "reasons": against or open_points or [f"{size - len(reverted)} of {size} clients are fine"],
        "hosts": {name: _plain(finding) for name, finding in found.items()},
        "servers": {name: _plain(finding) for name, finding in served.items()},
        "pooled": _plain(pooled),
        "control": {"clients": len(control), "suffering": [name for name, worse in control.items() if worse]},
        "coverage": coverage,
    }


def _too_many(stage: str, reverted: int, size: int, policy: Policy, earlier: tuple[int, int]) -> bool:
    """Of clients more than one and more than the share, over the run; of a server's witnesses any beyond the share. Or all."""
    if reverted == size:
        return True
    if stage == "accept":
        return reverted > round(policy.max_reverted_share * size, 6)
    judged, bad = earlier
    return bad + reverted > max(1.0, round(policy.max_reverted_share * (judged + size), 6))


def _settle_missing(finding: Finding, now: Client, started: bool) -> None:
    """A client that a round has missed is not asked again and never passes; before the first round all are missing."""
    if now.trouble and finding.verdict != REVERT:
        finding.verdict, finding.more = INCONCLUSIVE, 0
        finding.reasons.insert(0, f"its measurement failed: {now.trouble}")
    elif started and not now.plain.requests:
        finding.more = 0


def _measure(found: dict[str, Finding], others: list[Finding], clients: Clients, policy: Policy) -> dict[str, int]:
    """Requests an arm that each client should make next; what is open for all asks all that are not reverted."""
    shared = max((other.more for other in others if other.verdict == INCONCLUSIVE), default=0)
    wanted = {}
    for name, finding in found.items():
        left = policy.requests - clients.get(name, Client()).plain.requests
        more = min(max(finding.more, shared if finding.verdict == PROMOTE else 0), left)
        if more > 0:
            wanted[name] = more
    return wanted


def _since_before(
    hosts: list[str], clients: Clients, before: Clients, policy: Policy
) -> tuple[dict[str, bool], dict[str, bool]]:
    """Whose plain traffic is proven worse than before: in the wave, and outside it. Only where both were measured."""
    found: tuple[dict[str, bool], dict[str, bool]] = ({}, {})
    for name, now in clients.items():
        then = before.get(name, Client()).plain
        if then.ok and now.plain.requests:
            finding = compare(then, now.plain, policy, len(hosts), ("before", "after"))
            found[0 if name in hosts else 1][name] = finding.verdict == REVERT
    return found


def _add_suffering(found: dict[str, Finding], suffering: dict[str, bool], outside: bool) -> None:
    for name in [name for name, worse in suffering.items() if worse]:
        found[name].reasons.insert(0, "its plain traffic is worse than before the step")
        if not outside:
            found[name].verdict, found[name].more = REVERT, 0


def _share(worse: dict[str, bool]) -> float:
    return sum(worse.values()) / len(worse)


def _judge_server(server: Server, policy: Policy, clients: int) -> Finding:
    """Roll back for a restart, or when SYN data is refused more often than taken (queue full, or a wrong cookie)."""
    if server.restarts:
        reason = f"its service was restarted {server.restarts} times since the step, look into its journal"
        return Finding(ROLL_BACK, 0, [reason], {"restarts": server.restarts})
    full = server.counters.get("TCPFastOpenListenOverflow", 0)
    wrong = server.counters.get("TCPFastOpenPassiveFail", 0)
    taken = server.counters.get("TCPFastOpenPassive", 0)
    if not taken + full + wrong:
        return Finding(PROMOTE, 0, ["no SYN data reached it"])
    what = f"SYN data taken (TCPFastOpenListenOverflow +{full}, TCPFastOpenPassiveFail +{wrong})"
    finding = success(taken, full + wrong, policy, clients, what)
    return Finding(
        ROLL_BACK if finding.verdict == REVERT else finding.verdict, finding.more, finding.reasons, finding.figures
    )


def _pool(kept: list[Client], policy: Policy, size: int) -> Finding:
    """The kept clients together: a veto, since each of them was judged by itself.

    Sums over clients with different natural shares: under equal arms that only narrows the spread of the sums.
    """
    kept = [one for one in kept if one.plain.ok and one.fast_open.requests]
    if not kept:
        return Finding(PROMOTE)
    spoiled = failed = Counts(0, 0, 0, 0)
    for one in kept:
        base, fast, plain = one.plain.baseline(), one.fast_open, one.plain
        failed = _sum(failed, Counts(fast.failed, fast.requests, plain.failed, plain.requests))
        late = (fast.failed + fast.late(base), plain.failed + plain.late(base))
        spoiled = _sum(spoiled, Counts(late[0], fast.requests, late[1], plain.requests))
    limit = policy.odds(size, False).harm
    reasons, figures, proven = [], {}, False
    for label, counts in (("failed or late", spoiled), ("failed", failed)):
        odds = harm(counts, policy.max_error_share, POOLED_HARM)
        proven = proven or odds >= limit
        figures[label.replace(" ", "_")] = {
            "fast_open": [counts.treated_spoiled, counts.treated],
            "plain": [counts.reference_spoiled, counts.reference],
            "harm_odds": number(odds),
            "harm_odds_limit": number(limit),
        }
        reasons.append(
            f"{label}: fast_open {counts.treated_spoiled} of {counts.treated}, plain {counts.reference_spoiled} of "
            f"{counts.reference}; odds of harm {text(odds)} (proven at {text(limit)})"
        )
    if proven:
        reasons.insert(0, "worse together, though no single client is")
        return Finding(ROLL_BACK, 0, reasons, figures)
    if failed.excess() > policy.max_error_share:
        reasons.insert(
            0, f"{failed.excess():.1%} more requests fail with fast open (limit {policy.max_error_share:.1%})"
        )
        return Finding(INCONCLUSIVE, STEP, reasons, figures)
    reasons.insert(0, f"fine together, {len(kept)} clients")
    return Finding(PROMOTE, 0, reasons, figures)


def _sum(a: Counts, b: Counts) -> Counts:
    return Counts(
        a.treated_spoiled + b.treated_spoiled,
        a.treated + b.treated,
        a.reference_spoiled + b.reference_spoiled,
        a.reference + b.reference,
    )


def _coverage(judged: list[Client], policy: Policy) -> dict[str, Any]:
    """Distinct access networks that were judged (all clients without a label count as one) and what they exclude."""
    labels = sorted({one.network for one in judged})
    return {
        "networks": len(labels),
        "labels": labels,
        "detectable_share": round(detectable_share(len(labels), policy.confidence), 4),
        "confidence": policy.confidence,
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict,
        "more": finding.more,
        "reasons": finding.reasons,
        "figures": finding.figures,
    }
