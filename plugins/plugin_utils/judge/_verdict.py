# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wave of clients, or a batch of servers seen by its clients: promote, roll_back or inconclusive.

- A client that is worse with fast open than without is to be reverted; too many of those roll the wave back.
- Whoever is left is pooled: many clients together show a small harm that no single one can.
- A batch of servers is judged by the plain traffic of its witnesses, beyond that of clients of other servers.
- Everybody is looked at twice: after the first requests, and, where that did not decide, after the whole budget.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Client, Server
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._budget import Budget
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import judge_client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    REVERT,
    ROLL_BACK,
    Finding,
    Policy,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import detectable_share
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._pool import pool, smallest_harm
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._witness import (
    NOT_JUDGED,
    Control,
    judge_witness,
)

__all__ = ["FIRST_REQUESTS", "first_requests", "judge", "smallest_harm"]

# Requests of each kind and path before the first look: 15 clean ones exclude a harm of a fifth, the others leave room
# for one that the network loses by itself.
FIRST_REQUESTS = 20
STRANGERS = ("TCPFastOpenPassive", "TCPFastOpenListenOverflow", "TCPFastOpenPassiveFail")
Clients = dict[str, Client]


def first_requests(paths: int, policy: Policy) -> int:
    """How many requests of each kind a client makes before the first look, on so many paths together."""
    return min(FIRST_REQUESTS * max(paths, 1), policy.requests)


def judge(
    stage: str,
    hosts: list[str],
    clients: Clients,
    before: Clients,
    servers: dict[str, Server],
    policy: Policy,
    earlier: tuple[int, int] = (0, 0),
    last: bool = False,
) -> dict[str, Any]:
    """The verdict over ``hosts``, with every reason and figure.

    ``stage`` is the one just entered. With ``send`` the hosts have fast open, judged against plain TCP at the same
    time; with ``accept`` their servers have, and the hosts' plain traffic is judged against ``before``, beyond what the
    other ``clients`` saw. ``earlier``: of how many clients earlier waves of the run were judged, and how many were bad.
    ``last``: nobody can be asked again.
    """
    size, send = len(hosts), stage == "send"
    control = Control.of({} if send else {name: one for name, one in clients.items() if name not in hosts}, before)
    found = {}
    for name in hosts:
        now = clients.get(name, Client())
        if send:
            found[name] = judge_client(now, policy, size, last)
        else:
            found[name] = judge_witness(before.get(name, Client()), now, control, policy, size, last)
        if now.trouble and found[name].verdict != REVERT:
            found[name] = Finding(INCONCLUSIVE, f"its measurement failed: {now.trouble}", found[name].reasons)
    reverted = [name for name, finding in found.items() if finding.verdict == REVERT]
    kept = [clients[name] for name in hosts if name in clients and name not in reverted and not clients[name].trouble]
    pooled = pool(kept if send else [], policy, size, last)
    served = {name: _judge_server(server) for name, server in servers.items()}

    against = [f"{name}: {one.summary}" for name, one in served.items() if one.verdict == ROLL_BACK]
    against += [f"kept clients: {pooled.summary}"] if pooled.verdict == ROLL_BACK else []
    if send:
        against += _too_many(found, reverted, policy, earlier)
    elif _beyond(policy)(len(reverted), size):
        against += [f"{name}: {found[name].summary}" for name in reverted]
    measure = {} if last or against else _measure(found, pooled, clients, policy)
    unknown = _undecided(found, measure, policy, send)
    return {
        "verdict": ROLL_BACK if against else INCONCLUSIVE if unknown else PROMOTE,
        "more": max(measure.values(), default=0),
        "measure": measure,
        "revert": reverted if send else [],
        "reasons": against or unknown or [_fine(found, reverted, None if send else control)],
        "hosts": {name: finding.plain() for name, finding in found.items()},
        "servers": {name: finding.plain() for name, finding in served.items()},
        "pooled": pooled.plain(),
        "control": {"paths": len(control.pairs)},
        "coverage": _coverage([clients[name] for name, one in found.items() if one.verdict != INCONCLUSIVE], policy),
    }


def _too_many(found: dict[str, Finding], reverted: list[str], policy: Policy, earlier: tuple[int, int]) -> list[str]:
    """Why so many clients that are worse roll the wave back: over the budget of the run, or all of them."""
    size, (judged, bad) = len(found), earlier
    if not reverted or not (
        Budget(policy.max_reverted_share, *earlier).exceeded(len(reverted), size) or len(reverted) == size
    ):
        return []
    named = f"{len(reverted)} of {size} clients are worse ({', '.join(reverted)})"
    if len(reverted) == size:
        return [f"{named}, that is everybody: {found[reverted[0]].summary}"]
    return [
        f"{named}: with earlier waves {bad + len(reverted)} of {judged + size}, "
        f"more than {policy.max_reverted_share:.0%} (rollout_max_reverted_share)"
    ]


def _undecided(found: dict[str, Finding], measure: dict[str, int], policy: Policy, send: bool) -> list[str]:
    """Why there is no verdict yet, or none at all: somebody measures more, too many are undecided, nobody is left."""
    if not found:
        return ["no client to judge: no data is never a pass"]
    if measure:
        return [f"{len(measure)} of {len(found)} clients measure {max(measure.values())} more requests of each kind"]
    undecided = [name for name, one in found.items() if one.verdict == INCONCLUSIVE]
    nobody = not any(one.verdict == PROMOTE for one in found.values())
    many = Budget(policy.max_reverted_share).exceeded if send else _beyond(policy)
    if undecided and (nobody or many(len(undecided), len(found))):
        return [f"{name}: {found[name].summary}" for name in undecided]
    return []


def _beyond(policy: Policy) -> Callable[[int, int], bool]:
    """Of the witnesses of a server, any beyond the share are too many: it serves all of them."""
    return lambda bad, judged: bad > round(policy.max_reverted_share * judged, 6)


def _measure(found: dict[str, Finding], pooled: Finding, clients: Clients, policy: Policy) -> dict[str, int]:
    """How many more requests of each kind each client makes; a pool that is open asks all that are not reverted.

    Before anything was measured all make their first requests; later a client without a measurement is not asked again.
    """
    if not any(name in clients and (clients[name].paths or clients[name].trouble) for name in found):
        return {name: first_requests(1, policy) for name in found}
    wanted = {}
    for name, finding in found.items():
        now = clients.get(name, Client())
        left = policy.requests - max(now.plain.requests, now.fast_open.requests)
        more = min(left, pooled.more if finding.verdict == PROMOTE else finding.more)
        if now.paths and more > 0:
            wanted[name] = more
    return wanted


def _fine(found: dict[str, Finding], reverted: list[str], control: Optional[Control]) -> str:
    """What a promotion says."""
    if control is not None and not control.pairs:
        return NOT_JUDGED
    fine = sum(one.verdict == PROMOTE for one in found.values())
    return f"{fine} of {len(found)} clients are fine"


def _judge_server(server: Server) -> Finding:
    """Roll back for a restart. What its kernel counted is shown: SYNs of strangers are no evidence against the step."""
    seen = ", ".join(f"{name} +{server.counters[name]}" for name in STRANGERS if server.counters.get(name))
    if server.restarts:
        words = f"its service was restarted {server.restarts} times since the step, look into its journal"
        return Finding(ROLL_BACK, words, [seen] if seen else [], {"restarts": server.restarts})
    return Finding(PROMOTE, seen or "no SYN data reached it", [], dict(server.counters))


def _coverage(judged: list[Client], policy: Policy) -> dict[str, Any]:
    """Distinct access networks that were judged (all clients without a label count as one) and what they exclude."""
    labels = sorted({one.network for one in judged})
    return {
        "networks": len(labels),
        "labels": labels,
        "detectable_share": round(detectable_share(len(labels), policy.confidence), 4),
        "confidence": policy.confidence,
    }
