# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One client of a wave: its paired measurement, whether its SYN data was taken, and its restarts."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    REVERT,
    Finding,
    Policy,
    compare,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import STEP
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import share_limit
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Arm, Client

# Below this share of SYN data taken, fast open fails more often than not: the option on the wire without the gain.
USEFUL_SHARE = 0.5


def judge_client(client: Client, policy: Policy, clients: int) -> Finding:
    """Verdict over one client that has fast open, in a wave of so many clients."""
    if client.restarts:
        reason = f"its service was restarted {client.restarts} times since the step, look into its journal"
        return Finding(REVERT, 0, [reason], {"restarts": client.restarts})
    fast = client.fast_open
    if fast.exits and not client.plain.exits:
        reason = f"the client process with fast open exited {fast.exits} times, the plain one never"
        return Finding(REVERT, 0, [reason], {"exits": fast.exits})
    finding = compare(client.plain, fast, policy, clients, ("plain", "fast_open"))
    if not fast.requests or not client.plain.ok:
        return finding
    taken = _taken(fast, policy, clients)
    finding.figures["syn_data"] = taken.figures
    finding.reasons += taken.reasons
    if REVERT in (finding.verdict, taken.verdict):
        if finding.verdict != REVERT:
            finding.reasons[0] = "no gain: SYN data is refused more often than taken"
        finding.verdict, finding.more = REVERT, 0
    elif finding.verdict == PROMOTE and taken.verdict == INCONCLUSIVE:
        finding.verdict = INCONCLUSIVE
        finding.more = min(taken.more, policy.left(fast))
        finding.reasons[0] = taken.reasons[0]
    if finding.verdict != PROMOTE:
        finding.reasons += _cause(fast)
    return finding


def success(taken: int, refused: int, policy: Policy, clients: int, what: str) -> Finding:
    """Whether at least USEFUL_SHARE of the attempts with SYN data succeeded.

    Reverted when the Clopper-Pearson limit of the share is below it, promoted when the observed share is not.
    """
    attempts = taken + refused
    share = taken / attempts if attempts else 0.0
    limit = share_limit(taken, attempts, policy.false_alarm(clients))
    figures = {"taken": taken, "attempts": attempts, "share": round(share, 4), "at_most": round(limit, 4)}
    reason = f"{what}: {taken} of {attempts}; at most {limit:.0%} in truth, {USEFUL_SHARE:.0%} needed"
    if attempts and share >= USEFUL_SHARE:
        return Finding(PROMOTE, 0, [reason], figures)
    if limit < USEFUL_SHARE:
        return Finding(REVERT, 0, [reason], figures)
    return Finding(INCONCLUSIVE, STEP, [reason], figures)


def _taken(fast: Arm, policy: Policy, clients: int) -> Finding:
    """SYN data acknowledged, by the client's counters; a request that shows in neither counter had no SYN data taken.

    The counters belong to the network namespace: connections of others can only add attempts.
    """
    if "TCPFastOpenActive" not in fast.counters:
        reason = "no counter TCPFastOpenActive was measured: nothing tells whether fast open was used"
        return Finding(INCONCLUSIVE, 0, [reason], {})
    taken = fast.counters["TCPFastOpenActive"]
    attempts = max(fast.requests, taken + fast.counters.get("TCPFastOpenActiveFail", 0))
    return success(taken, attempts - taken, policy, clients, "SYN data taken (TCPFastOpenActive)")


def _cause(fast: Arm) -> list[str]:
    """What the counters say about the way it fails (a hint for the operator; decides nothing)."""
    lost, fails = fast.counters.get("TCPSynRetrans", 0), fast.counters.get("TCPFastOpenActiveFail", 0)
    hints = []
    if lost and fails:
        hints.append(f"SYNs with data get lost: TCPSynRetrans +{lost}, TCPFastOpenActiveFail +{fails}")
    elif fails:
        hints.append(f"SYN data is refused: TCPFastOpenActiveFail +{fails}, no SYN was sent again")
    if fast.counters.get("TCPFastOpenBlackhole"):
        hints.append("the kernel paused fast open meanwhile (TCPFastOpenBlackhole)")
    return hints
