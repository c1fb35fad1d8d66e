# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run has ended: each host on the scale of outcomes, what is amiss, and what to do next."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._phases import Result, lost, trouble

Wave = t.Mapping[str, t.Any]
"""What tfo_wave returned last of a wave."""
FINE = ("promoted", "skipped", "planned")
WITH_ALL = "goes back with all clients (rollout_revert: all)"
STAYS_ON = "TCP Fast Open stays on there, as an earlier run left it: mend that, or roll the host back"
NOT_REACHED = "not reached: the run stopped before it, and it is as it was"
ORDER = ("promoted", "planned", "skipped", "inconclusive", "reverted", "failed", "refused", "unreachable")


class Side(t.NamedTuple):
    """One side of a host at the end.

    ``lost``: since its step, so that it may be under TFO still. ``remembered``: its path was bad, and later runs leave it alone.
    """

    host: str
    side: str
    outcome: str
    why: str
    lost: bool = False
    remembered: bool = False


def sides(looks: t.Sequence[t.Mapping[str, t.Any]], wave: t.Optional[Wave], host: str) -> list[Side]:
    """The sides of a host, by the wave that it was in last, or by its look where it was in none."""
    found = []
    for look in looks:
        side = look["side"]
        last = bool(wave) and wave.get("side") == side
        one = wave.get("hosts" if last else "as_server", {}).get(host) if wave else None
        if one and one["outcome"]:
            why = one["said"] or "; ".join(one["reasons"])
            lost_since = one["outcome"] == "unreachable" and one["since_step"]
            ended = Side(host, side, one["outcome"], why, lost_since, last and host in wave["remember"])
            found.append(_skipped(host, look, why) if one["outcome"] == "skipped" else ended)
        elif look["done"]:
            found.append(Side(host, side, "promoted", "before this run"))
        elif look["step"]["outcome"] == "skipped":
            found.append(_skipped(host, look, "; ".join(look["reasons"])))
        else:
            found.append(Side(host, side, "refused", NOT_REACHED))
    return found


def _skipped(host: str, look: t.Mapping[str, t.Any], why: str) -> Side:
    """Skipped means plain as before. Where an earlier run left TFO on, what runs there is not proven any more."""
    if look["stage"]["state"] in ("plain", "undone"):
        return Side(host, look["side"], "skipped", why)
    return Side(host, look["side"], "failed", f"{why}; {STAYS_ON}")


def to_revert(found: t.Sequence[Side], waves: t.Iterable[Wave], everybody: bool) -> dict[str, list[dict[str, str]]]:
    """By host its sides that are taken back at the end of the run, as {side, why, memory} of tfo_stage, the client first.

    Those that were lost since their step are tried once more; where a wave of clients was rolled back, and ``everybody``
    is to follow it, all clients go back as well.
    """
    all_clients = everybody and any(
        wave.get("side") == "client" and wave.get("verdict") == "roll_back" for wave in waves
    )
    back: dict[str, list[dict[str, str]]] = {}
    for one in sorted(found, key=lambda one: one.side):
        if one.lost or (all_clients and one.side == "client"):
            why = one.why if one.lost else "a later wave was rolled back, and rollout_revert is all"
            memory = "add" if one.lost and one.remembered else "keep"
            back.setdefault(one.host, []).append({"side": one.side, "why": why, "memory": memory})
    return back


def taken_back(found: t.Sequence[Side], results: t.Mapping[tuple[str, str], Result]) -> list[Side]:
    """The sides after that, by what tfo_stage returned for each host and side: reverted, or failed where plain was not
    proven; who was lost and still does not answer stays so."""
    ended = []
    for one in found:
        result = results.get((one.host, one.side))
        if not result or result.get("skipped") or not (one.lost or one.outcome == "promoted"):
            ended.append(one)
        elif result.get("outcome") == "plain":
            why = f"answered again at the end of the run and is plain ({one.why})" if one.lost else WITH_ALL
            ended.append(one._replace(outcome="reverted", why=why, lost=False))
        elif one.lost and lost(result):
            ended.append(one)
        else:
            outcome = "unreachable" if lost(result) else "failed"
            ended.append(one._replace(outcome=outcome, why=f"not proven plain: {trouble(result)}"))
    return ended


def amiss(found: t.Sequence[Side], stopped: t.Optional[Wave]) -> dict[str, str]:
    """By host what keeps it from being promoted, or skipped with a reason.

    Of a run that stopped somewhere, the hosts behind are not to blame: those of the wave are.
    """
    told: dict[str, list[str]] = {}
    for one in found:
        if one.outcome not in FINE and not (stopped and one.why == NOT_REACHED):
            told.setdefault(one.host, []).append(f"{one.outcome}: {one.why}")
    if stopped and not told:  # everybody of a canary was skipped, say
        return dict.fromkeys(stopped["hosts"], f"the run stopped at {stopped['name']}: {'; '.join(stopped['why'])}")
    return {host: "; ".join(reasons) for host, reasons in told.items()}


def counts(found: t.Sequence[Side]) -> dict[str, int]:
    """How many hosts have each outcome; one with two sides may have two."""
    hosts = {outcome: {one.host for one in found if one.outcome == outcome} for outcome in ORDER}
    return {outcome: len(named) for outcome, named in hosts.items() if named}


def lines(found: t.Sequence[Side], stopped: t.Optional[Wave], clients_left: bool) -> list[str]:
    """The run in a few lines: who has TCP Fast Open, who has not and why, and the next command."""
    shown = ["End of the run"]
    for outcome in ORDER:
        ended = [one for one in found if one.outcome == outcome]
        if not ended:
            continue
        names = list(dict.fromkeys(one.host for one in ended))
        shown.append(f"  {outcome:<12} {len(names)}: {_lines.named(names)}")
        if outcome not in ("promoted", "planned"):
            shown += [f"    {one.host}: {one.why}" for one in ended if one.why != NOT_REACHED]
    return [*shown, *(f"  {told}" for told in advice(found, stopped, clients_left))]


def advice(found: t.Sequence[Side], stopped: t.Optional[Wave], clients_left: bool) -> list[str]:
    """What is left to be done, and the next command."""
    run = "ansible-playbook fastopen.shadowsocks.rollout"
    outcomes = {one.outcome for one in found}
    told = []
    if any(one.outcome == "reverted" and one.remembered for one in found):
        told.append(f"Later runs leave reverted clients alone; {run} -e rollout_retry=true tries them again.")
    if "inconclusive" in outcomes:
        told.append("Inconclusive hosts are plain; run it again for more samples.")
    again = f"Mend what is named above, then run it again: {run}"
    if stopped:
        return [*told, f"The run stopped at {stopped['name']}. {again}"]
    to_mend = any(
        one.outcome == "reverted" and not one.remembered for one in found
    )  # by a fault of its host, not its path
    if to_mend or outcomes & {"refused", "failed", "unreachable"}:
        return [*told, again]
    if "planned" in outcomes:
        return [f"Nothing was changed. Next: {run}"]
    if clients_left and outcomes <= set(FINE):
        return [*told, f"Next, the clients, canaries first: {run} --limit canary"]
    return [*told, "Next: ansible-playbook fastopen.shadowsocks.audit"]
