# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about one batch of servers or one wave of clients: what each host's step came to, then the measurement."""

from __future__ import annotations

import typing as t

Result = t.Mapping[str, t.Any]
"""What tfo_stage returned for a host, or Ansible's failed, skipped or unreachable result."""

STEPPED = ("stepped", "confirmed", "planned")
BAD = ("reverted", "failed")
JUDGED = ("promoted", *BAD)


class Budget(t.NamedTuple):
    """How many hosts may be bad: of clients more than one and more than ``share`` of those judged are too many.

    Counted over the run: ``judged`` and ``bad`` are those of earlier waves. A ``strict`` one allows none (servers).
    """

    share: float = 0.1
    judged: int = 0
    bad: int = 0
    strict: bool = False

    def exceeded(self, bad: int, judged: int) -> bool:
        """Whether a wave of so many judged hosts with so many bad ones is over it."""
        if self.strict:
            return bad > 0
        return self.bad + bad > max(1.0, round(self.share * (self.judged + judged), 6))


def earlier(gates: t.Mapping[str, t.Mapping[str, t.Any]]) -> tuple[int, int]:
    """How many hosts were judged in earlier waves and how many were bad; ``gates`` is the last judgement by host."""
    ends = [gate["hosts"][host]["outcome"] for host, gate in gates.items() if host in gate["hosts"]]
    return sum(end in JUDGED for end in ends), sum(end in BAD for end in ends)


class Judgement(t.NamedTuple):
    """``verdict`` promote, roll_back or inconclusive; ``hosts`` one {outcome, reasons} a host; ``msg`` for people.

    Hosts are stepped until the wave is judged, then as on the scale of outcomes: promoted, skipped, refused, inconclusive,
    reverted, failed, unreachable. ``stepped`` are the hosts that are under TFO now and follow the verdict, ``revert``
    those that leave it whatever the verdict is.
    """

    verdict: str
    hosts: dict[str, dict[str, t.Any]]
    stepped: list[str]
    revert: list[str]
    msg: str


def outcome(result: Result, before: t.Optional[Result] = None) -> dict[str, t.Any]:
    """One host's outcome: tfo_stage's own, skipped (measured ``before`` and not eligible), unreachable or failed."""
    if result.get("unreachable"):
        return {"outcome": "unreachable", "reasons": ["unreachable: it counts as not done"]}
    if result.get("failed"):
        return {"outcome": "failed", "reasons": [str(result.get("msg", "the task failed"))]}
    if result.get("skipped"):
        measured = before or {"verdict": "inconclusive", "reasons": ["not measured"]}
        return {
            "outcome": "skipped",
            "reasons": [f"measured before the step: {measured['verdict']}", *measured["reasons"]],
        }
    stepped = result["outcome"] in STEPPED and result["outcome"] != "planned"
    return {"outcome": "stepped" if stepped else result["outcome"], "reasons": list(result.get("reasons", []))}


def too_many_lost(lost: int, clients: int, share: float) -> bool:
    """Whether more hosts got lost since their step than a wave of so many may lose; one may always."""
    return lost > max(1.0, share * clients)


def judge(
    step: str,
    results: t.Mapping[str, Result],
    before: t.Optional[Result] = None,
    check: bool = False,
    on_now: t.Container[str] = (),
    max_unreachable_share: float = 0.1,
    final: bool = False,
    canary: bool = False,
    budget: Budget = Budget(),
) -> Judgement:
    """Right after the step: more bad hosts than the budget allows take the wave back; hosts that were skipped do not.

    A wave in which no host is stepped is passed over, but for a ``canary``: nothing would be learnt from it, so that it
    stops the run. So does a wave that lost too many hosts in the step: nothing new is started, those that can be reached
    come down, and the others undo themselves. With ``final`` nothing is measured after it. ``on_now`` are hosts that had
    TFO on before this run: those that turn out not to be eligible are to be reverted.
    """
    measured = (before or {}).get("hosts", {})
    hosts = {host: outcome(result, measured.get(host)) for host, result in results.items()}
    failed = [host for host, one in hosts.items() if one["outcome"] == "failed"]
    bad = [
        host
        for host, one in hosts.items()
        if one["outcome"] == "failed" or (not budget.strict and one["outcome"] in BAD)
    ]
    lost = [host for host, one in hosts.items() if one["outcome"] == "unreachable"]
    stepped = [host for host, one in hosts.items() if one["outcome"] in STEPPED]
    over = budget.exceeded(len(bad), len(stepped) + len(bad))
    stop = too_many_lost(len(lost), len(results), max_unreachable_share)
    if over and not check:
        _go_back(hosts, stepped)
    elif stop:
        _not_decided(hosts, stepped, "too many hosts of its wave were lost")
    revert = [h for h, one in hosts.items() if h in on_now and measured.get(h, {}).get("verdict") == "revert"]
    revert += [host for host in failed if host not in revert]

    def decided(verdict: str, msg: str) -> Judgement:
        told = "\n".join(f"  {host}: {one['outcome']}{_because(one)}" for host, one in hosts.items())
        return Judgement(verdict, hosts, stepped, revert, f"{step}: {msg}\n{told}")

    if check and not failed:
        return decided("promote", "planned")._replace(revert=[])
    if over:
        return decided("roll_back", f"{', '.join(bad)} not proven: the wave goes back")
    if stop:
        return decided(
            "inconclusive",
            f"{len(lost)} of {len(hosts)} hosts were lost in the step: nothing new is started. Those that made it undo it"
            " by themselves when their lease ends",
        )
    if not stepped and canary:
        msg = (
            "no canary is left, so nothing can be learnt; mend the paths below, or choose other canaries, and run again"
        )
        return decided("roll_back" if bad else "inconclusive", msg)
    if not stepped:
        return decided(
            "promote", "passed over, nobody in it is eligible" if not bad else "passed over, nobody is left in it"
        )
    if final:
        hosts.update({host: {**hosts[host], "outcome": "promoted"} for host in stepped})
    return decided("promote", f"{len(stepped)} of {len(hosts)} proven")


def judge_measured(
    step: str,
    first: Judgement,
    after: Result,
    asked: t.Mapping[str, Result],
    servers: t.Mapping[str, Result],
    max_unreachable_share: float = 0.1,
    canary: bool = False,
    budget: Budget = Budget(),
) -> Judgement:
    """After bake and measurement: the measured verdict, which a restarted server overrules.

    A client whose own ss-local does not answer is reverted as one that was measured bad is; together they must stay
    within the budget. ``after`` is tfo_verdict's result ({}: nobody could measure), ``asked`` the last result of tfo_tunnel of each client,
    with the reasons against its running ss-local, ``servers`` what happened on each server since ({}: not known).
    """
    silent = {host: result["reasons"] for host, result in asked.items() if result.get("reasons")}
    gone = [host for host, result in asked.items() if result.get("unreachable")]
    against = [
        f"{name}: its ss-server was restarted or is gone since the step ({since['restarts']}), see its journal"
        for name, since in servers.items()
        if since and since["restarts"]
    ]
    unknown = [f"{name}: it cannot be reached any more" for name, since in servers.items() if not since]
    bad = [host for host in first.stepped if host in after.get("revert", []) or host in silent]
    revert = [*first.revert, *(host for host in bad if host not in first.revert)]
    verdict = after.get("verdict", "promote")
    why = list(
        after.get("reasons", ["no client of these servers had plain traffic before: judged by their own proof only"])
    )
    before_bad = sum(one["outcome"] in BAD for one in first.hosts.values())
    over = budget.exceeded(before_bad + len(bad), before_bad + len(first.stepped))
    left = [host for host in first.stepped if host not in bad]
    if silent:
        why = [*(f"{host}: {'; '.join(reasons)}" for host, reasons in silent.items()), *why]
    if verdict == "roll_back" and not left and not over and not canary:
        verdict = "promote"  # all of a small wave: they leave, and the run goes on
    elif bad and (over or (canary and not left)):
        verdict = "roll_back"
    if against:
        verdict, why = "roll_back", against
    elif unknown and verdict == "promote":
        verdict, why = "inconclusive", unknown
    if verdict == "promote" and too_many_lost(len(gone), len(first.hosts), max_unreachable_share):
        verdict, why = "inconclusive", [f"{len(gone)} of {len(first.hosts)} hosts were lost since the step"]
    hosts = {**first.hosts, **{host: outcome(asked[host]) for host in gone}}
    for host in first.revert:
        hosts[host] = {**hosts[host], "outcome": "reverted"}
    for host in bad:
        measured = after.get("hosts", {}).get(host, {}).get("reasons", [])
        hosts[host] = {"outcome": "reverted", "reasons": [*silent.get(host, []), *measured]}
    stepped = [host for host in first.stepped if host not in revert and host not in gone]
    if verdict == "roll_back":
        _go_back(hosts, stepped)
    elif verdict == "inconclusive":
        _not_decided(hosts, stepped, "too little is known to let it go on")
    else:
        hosts.update({host: {"outcome": "promoted", "reasons": []} for host in stepped})
    told = [f"  {host}: {hosts[host]['outcome']}{_because(hosts[host])}" for host in hosts]
    advice = {
        "promote": "goes on",
        "roll_back": "goes back to plain TCP",
        "inconclusive": "goes back to plain TCP undecided, and the run stops: run again for more samples",
    }[verdict]
    msg = "\n".join([f"{step}: {verdict}: the wave {advice}", *(f"  {reason}" for reason in why), *told])
    return Judgement(verdict, hosts, stepped, revert, msg)


def _go_back(hosts: dict[str, dict[str, t.Any]], stepped: t.Sequence[str]) -> None:
    """Stepped hosts do not stay so in a wave that is rolled back."""
    hosts.update({host: {"outcome": "reverted", "reasons": ["goes back with its wave"]} for host in stepped})


def _not_decided(hosts: dict[str, dict[str, t.Any]], stepped: t.Sequence[str], why: str) -> None:
    """Nor in one that nobody can decide about."""
    hosts.update({host: {"outcome": "inconclusive", "reasons": [why]} for host in stepped})


def _because(one: t.Mapping[str, t.Any]) -> str:
    """The first reasons; the figures behind them were shown when they were judged, and the journal keeps them."""
    return f" ({'; '.join(one['reasons'][:2])})" if one["reasons"] else ""
