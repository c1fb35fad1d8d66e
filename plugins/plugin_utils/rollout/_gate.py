# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about one batch of servers or one wave of clients: what each host's step came to, then the measurement."""

from __future__ import annotations

import typing as t

Result = t.Mapping[str, t.Any]
"""What tfo_stage returned for a host, or Ansible's failed, skipped or unreachable result."""

STEPPED = ("stepped", "confirmed", "planned")


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
) -> Judgement:
    """Right after the step: a host that failed takes its wave back; hosts that were skipped do not.

    A wave in which no host is stepped is passed over, but for a ``canary``: nothing would be learnt from it, so that it
    stops the run. So does a wave that lost too many hosts in the step: nothing new is started, those that can be reached
    come down, and the others undo themselves. With ``final`` nothing is measured after it. ``on_now`` are hosts that had
    TFO on before this run: those that turn out not to be eligible are to be reverted.
    """
    measured = (before or {}).get("hosts", {})
    hosts = {host: outcome(result, measured.get(host)) for host, result in results.items()}
    bad = [host for host, one in hosts.items() if one["outcome"] == "failed"]
    lost = [host for host, one in hosts.items() if one["outcome"] == "unreachable"]
    stepped = [host for host, one in hosts.items() if one["outcome"] in STEPPED]
    stop = too_many_lost(len(lost), len(results), max_unreachable_share)
    if bad and not check:
        _go_back(hosts, stepped)
    elif stop:
        _not_decided(hosts, stepped, "too many hosts of its wave were lost")
    revert = [h for h, one in hosts.items() if h in on_now and measured.get(h, {}).get("verdict") == "revert"]
    told = "\n".join(f"  {host}: {one['outcome']}{_because(one)}" for host, one in hosts.items())
    if check and not bad:
        return Judgement("promote", hosts, stepped, [], f"{step}: planned\n{told}")
    if bad:
        return Judgement(
            "roll_back", hosts, stepped, bad, f"{step}: {', '.join(bad)} not proven: the wave goes back\n{told}"
        )
    if stop:
        msg = (
            f"{step}: {len(lost)} of {len(hosts)} hosts were lost in the step: nothing new is started. Those that made it"
            " undo it by themselves when their lease ends"
        )
        return Judgement("inconclusive", hosts, stepped, revert, f"{msg}\n{told}")
    if not stepped and canary:
        msg = (
            "no canary is left, so nothing can be learnt; mend the paths below, or choose other canaries, and run again"
        )
        return Judgement("inconclusive", hosts, stepped, revert, f"{step}: {msg}\n{told}")
    if not stepped:
        return Judgement("promote", hosts, stepped, revert, f"{step}: passed over, nobody in it is eligible\n{told}")
    if final:
        hosts.update({host: {**hosts[host], "outcome": "promoted"} for host in stepped})
    return Judgement("promote", hosts, stepped, revert, f"{step}: {len(stepped)} of {len(hosts)} proven\n{told}")


def judge_measured(
    step: str,
    first: Judgement,
    after: Result,
    asked: t.Mapping[str, Result],
    servers: t.Mapping[str, Result],
    max_unreachable_share: float = 0.1,
) -> Judgement:
    """After bake and measurement: the measured verdict, which a restarted server or a silent tunnel overrules.

    ``after`` is tfo_verdict's result ({}: nobody could measure), ``asked`` the last result of tfo_tunnel of each client,
    with the reasons against its running ss-local, ``servers`` what happened on each server since ({}: not known).
    """
    against = [f"{host}: {'; '.join(result['reasons'])}" for host, result in asked.items() if result.get("reasons")]
    gone = [host for host, result in asked.items() if result.get("unreachable")]
    against += [
        f"{name}: its ss-server was restarted or is gone since the step ({since['restarts']}), see its journal"
        for name, since in servers.items()
        if since and since["restarts"]
    ]
    unknown = [f"{name}: it cannot be reached any more" for name, since in servers.items() if not since]
    bad = [host for host in after.get("revert", []) if host in first.stepped]
    revert = [*first.revert, *bad]
    verdict = after.get("verdict", "promote")
    why = list(
        after.get("reasons", ["no client of these servers had plain traffic before: judged by their own proof only"])
    )
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
        hosts[host] = {"outcome": "reverted", "reasons": list(after["hosts"][host]["reasons"])}
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
