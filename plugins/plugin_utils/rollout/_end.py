# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run has ended: each host on the scale of outcomes, what is amiss, and what to do next."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _told
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._phases import Result, lost, trouble

Wave = t.Mapping[str, t.Any]
"""What tfo_wave returned last of a wave."""
FINE = ("promoted", "skipped", "planned")
NOT_REACHED = "not reached: the run stopped before it, and it is as it was"
ORDER = ("promoted", "planned", "skipped", "inconclusive", "reverted", "failed", "refused", "unreachable")


class Side(t.NamedTuple):
    """One side of a host at the end."""

    host: str
    side: str
    outcome: str
    why: str


def sides(looks: t.Sequence[t.Mapping[str, t.Any]], wave: t.Optional[Wave], host: str) -> list[Side]:
    """The sides of a host, by the wave that it was in last, or by its look where it was in none."""
    found = []
    for look in looks:
        side = look["side"]
        ends = wave.get("hosts" if wave.get("side") == side else "as_server", {}) if wave else {}
        one = ends.get(host)
        if one and one["outcome"]:
            found.append(Side(host, side, one["outcome"], one["said"] or "; ".join(one["reasons"])))
        elif look["done"]:
            found.append(Side(host, side, "promoted", "before this run"))
        elif look["step"]["outcome"] == "skipped":
            found.append(Side(host, side, "skipped", "; ".join(look["reasons"])))
        else:
            found.append(Side(host, side, "refused", NOT_REACHED))
    return found


def to_revert(looks: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]], waves: t.Mapping[str, Wave]) -> list[str]:
    """The clients that go back as well where a wave of clients was rolled back: all that may be under TFO."""
    if not any(wave.get("side") == "client" and wave.get("verdict") == "roll_back" for wave in waves.values()):
        return []
    return [host for host, one in looks.items() if any(look["side"] == "client" for look in one)]


def taken_back(found: t.Sequence[Side], results: t.Mapping[str, Result]) -> list[Side]:
    """The sides after that: reverted, or failed where plain was not proven."""
    ended = []
    for one in found:
        result = results.get(one.host)
        if one.side != "client" or not result or result.get("skipped") or one.outcome != "promoted":
            ended.append(one)
        elif result.get("outcome") == "plain":
            ended.append(one._replace(outcome="reverted", why="goes back with all clients (rollout_revert: all)"))
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


def lines(found: t.Sequence[Side], stopped: t.Optional[Wave], clients_left: bool) -> list[str]:
    """The run in a few lines: who has TCP Fast Open, who has not and why, and the next command."""
    shown = ["End of the run"]
    for outcome in ORDER:
        ended = [one for one in found if one.outcome == outcome]
        if not ended:
            continue
        names = list(dict.fromkeys(one.host for one in ended))
        shown.append(f"  {outcome:<12} {len(names)}: {_told.named(names)}")
        if outcome not in ("promoted", "planned"):
            shown += [f"    {one.host}: {one.why}" for one in ended if one.why != NOT_REACHED]
    return [*shown, *(f"  {advice}" for advice in _advice(found, stopped, clients_left))]


def _advice(found: t.Sequence[Side], stopped: t.Optional[Wave], clients_left: bool) -> list[str]:
    run = "ansible-playbook fastopen.shadowsocks.rollout"
    outcomes = {one.outcome for one in found}
    if stopped:
        return [f"The run stopped at {stopped['name']}. Mend what is named above, then run it again."]
    told = []
    if "reverted" in outcomes:
        told.append(f"Later runs leave reverted clients alone; {run} -e rollout_retry=true tries them again.")
    if "inconclusive" in outcomes:
        told.append("Inconclusive hosts are plain; run it again for more samples.")
    if "planned" in outcomes:
        return [f"Nothing was changed. Next: {run}"]
    if clients_left and outcomes <= set(FINE):
        return [*told, f"Next, the clients, canaries first: {run} --limit canary"]
    return [*told, "Next: ansible-playbook fastopen.shadowsocks.audit"]
