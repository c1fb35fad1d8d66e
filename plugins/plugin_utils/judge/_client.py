# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One client of a wave: each of its paths with fast open against the same path without, at the same time."""

from __future__ import annotations

from statistics import median

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Arm, Client, Path
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    FINE,
    INCONCLUSIVE,
    OPEN,
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
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import STEP, Counts
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import share_limit, shift

# Below this share of SYN data taken, fast open fails more often than not: the option on the wire without the gain.
USEFUL_SHARE = 0.5
LATE, FAILED, LEG, FIRST_BYTE, TAKEN = "late", "failed", "leg", "first byte", "SYN data taken"


def judge_client(client: Client, policy: Policy, clients: int, last: bool = False) -> Finding:
    """Verdict over one client that has fast open, in a wave of so many clients. Harm on any path reverts it."""
    if client.restarts:
        words = f"its service was restarted {client.restarts} times since the step, look into its journal"
        return Finding(REVERT, words, figures={"restarts": client.restarts})
    left = max(policy.requests - max(client.plain.requests, client.fast_open.requests), 0)
    more = 0 if last else left
    if not client.paths:
        return Finding(INCONCLUSIVE, "no data: nothing was measured", more=more)
    total = of_paths({path.label: _judge_path(path, client, policy, clients, more) for path in client.paths})
    if total.verdict == PROMOTE:
        total.summary = _gain(client)
    return total


def late_counts(path: Path) -> Counts:
    """Late requests of both arms: those whose SYN got lost; where that was not seen, those that failed or came late."""
    plain, fast = path.plain, path.fast_open
    if plain.seen and fast.seen:
        return Counts(fast.lost(True), len(fast.connections), plain.lost(False), len(plain.connections))
    if not plain.ok:
        return Counts(0, 0, 0, 0)
    base = plain.baseline()
    return Counts(fast.failed + fast.late(base), fast.requests, plain.failed + plain.late(base), plain.requests)


def failed_counts(path: Path) -> Counts:
    """Failed requests of both arms."""
    return Counts(path.fast_open.failed, path.fast_open.requests, path.plain.failed, path.plain.requests)


def added(counts: list[Counts]) -> Counts:
    """All of them added up."""
    return sum(counts, Counts(0, 0, 0, 0))


def _judge_path(path: Path, client: Client, policy: Policy, clients: int, more: int) -> Finding:
    """One path of the client; ``more`` is what could still be asked, 0 at the last look."""
    plain, fast, last = path.plain, path.fast_open, more == 0
    figures = {
        kind: {"requests": arm.requests, "failed": arm.failed} for kind, arm in (("plain", plain), ("fast_open", fast))
    }
    if not plain.requests or not fast.requests:
        empty = "fast open" if plain.requests else "plain TCP"
        return Finding(INCONCLUSIVE, f"no data: no request with {empty} was measured", figures=figures, more=more)
    if fast.exits and not plain.exits:
        words = f"the client process with fast open exited {fast.exits} times, the plain one never"
        return Finding(REVERT, words, figures=figures)
    if not plain.ok:
        words = f"none of {plain.requests} plain requests was answered: nothing to compare with, repair that first"
        more = more if fast.ok and plain.requests < STEP else 0
        return Finding(INCONCLUSIVE, words, figures=figures, more=more)

    paths = clients * len(client.paths)
    harm_odds, safe_odds = policy.harm_odds(paths, last), policy.safe_odds(last, client.fast_open.requests)
    tests = []
    for name, counts, tolerated in ((LATE, late_counts, 0.0), (FAILED, failed_counts, policy.max_error_share)):
        of_all = added([counts(one) for one in client.paths])
        tests.append(shares(name, counts(path), of_all, tolerated, harm_odds, safe_odds))
    tests += [*_times(path, policy, paths), _taken(fast, policy, paths)]
    figures.update({test.name.replace(" ", "_"): test.figures for test in tests})
    reasons = [test.detail for test in tests if test.name != FAILED or plain.failed + fast.failed]
    worse = [test for test in tests if test.state == WORSE]
    if worse:
        return Finding(REVERT, _words(worse[0]), [*reasons, *_cause(fast)], figures)
    unclear = [test for test in tests if test.state == OPEN]
    if unclear:
        what = ", ".join(test.name for test in unclear)
        words = f"measures {more} more: {what}" if more else f"undecided after {fast.requests} requests: {what}"
        return Finding(INCONCLUSIVE, f"{words} ({unclear[0].words})", [*reasons, *_cause(fast)], figures, more)
    return Finding(PROMOTE, "", reasons, figures)


def _times(path: Path, policy: Policy, paths: int) -> list[Test]:
    """Whether the leg to the server, or the first byte, comes later.

    Where the leg was seen, a slower first byte is judged when it is proven, but need not be excluded: the origin has a
    part in it.
    """
    plain, fast = path.plain, path.fast_open
    tests = []
    z, limit = (policy.z_slower(paths), policy.z_fast_enough()), policy.max_slowdown_ms
    legs = plain.legs(), fast.legs()
    if plain.seen and fast.seen and legs[0] and legs[1]:
        tests.append(times(LEG, shift(*legs, *z), limit))
    if not fast.ok:
        words = f"none of {fast.requests} requests with fast open was answered"
        tests.append(Test(FIRST_BYTE, OPEN, words, words, {}))
    else:
        first_byte = times(FIRST_BYTE, shift(plain.ttfb_ms, fast.ttfb_ms, *z), limit)
        tests.append(first_byte._replace(state=FINE) if tests and first_byte.state == OPEN else first_byte)
    return tests


def _taken(fast: Arm, policy: Policy, paths: int) -> Test:
    """Whether at least USEFUL_SHARE of the SYNs with data succeeded: worse when the Clopper-Pearson limit is below it.

    By the connections; where they were not seen, by the counters, which belong to the network namespace: connections of
    others can only add attempts. A request that shows in neither counter had no SYN data taken.
    """
    if fast.seen:
        taken, attempts = sum(one.syn_data for one in fast.connections), len(fast.connections)
    elif "TCPFastOpenActive" in fast.counters:
        taken = fast.counters["TCPFastOpenActive"]
        attempts = max(fast.requests, taken + fast.counters.get("TCPFastOpenActiveFail", 0))
    else:
        words = "neither connections nor TCPFastOpenActive: nothing tells whether fast open was used"
        return Test(TAKEN, OPEN, words, words, {})
    limit = share_limit(taken, attempts, policy.false_alarm(paths))
    state = FINE if taken >= USEFUL_SHARE * attempts else WORSE if limit < USEFUL_SHARE else OPEN
    words = f"SYN data taken by {taken} of {attempts}"
    return Test(
        TAKEN,
        state,
        words,
        f"{words}; at most {limit:.0%} in truth, {USEFUL_SHARE:.0%} needed",
        {"taken": taken, "attempts": attempts, "at_most": round(limit, 4)},
    )


def _words(test: Test) -> str:
    """What is wrong, for an operator."""
    return {
        LATE: f"loses SYNs with data: {test.words} without",
        FAILED: f"requests fail with fast open: {test.words} without",
        LEG: f"slower with fast open: {test.words} on the way to the server",
        FIRST_BYTE: f"slower with fast open: {test.words}",
        TAKEN: f"no gain: {test.words}",
    }[test.name]


def _gain(client: Client) -> str:
    """What a client gains, from medians of the first byte; of the leg where the origin's noise hides that."""
    gains, on = [(median(path.plain.ttfb_ms), median(path.fast_open.ttfb_ms)) for path in client.paths], ""
    if any(plain < fast for plain, fast in gains) and all(
        path.plain.legs() and path.fast_open.legs() for path in client.paths
    ):
        gains, on = [
            (median(path.plain.legs()), median(path.fast_open.legs())) for path in client.paths
        ], " to the server"
    saved = sorted(plain - fast for plain, fast in gains)
    words = f"gains {saved[0]:.1f} ms" if saved[0] >= 0 else f"costs {-saved[0]:.1f} ms"
    each = (
        f"({gains[0][0]:.1f} → {gains[0][1]:.1f})"
        if len(gains) == 1
        else f"to {saved[-1]:.1f} ms on {len(gains)} paths"
    )
    return f"{words} {each}{on}, {client.fast_open.failed} of {client.fast_open.requests} failed"


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
