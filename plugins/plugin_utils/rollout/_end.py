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
UNCHANGED = ". Nothing was changed on it."
"""How the refusal of a host ends."""
NOT_REACHED_FIRST = "not reached in the preflight: it stays as it is"
LOST_DEPLOYING = "lost while plain Shadowsocks was deployed on it"
ORDER = ("promoted", "planned", "skipped", "inconclusive", "reverted", "failed", "refused", "unreachable")


class Side(t.NamedTuple):
    """One side of a host at the end.

    ``lost``: since its step, so that it may be under TFO still. ``remembered``: later runs leave it alone.
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


def gone(host: str, seen: Result, why: str) -> Side:
    """A host that left the run in the preflight, by its look, or by ``why`` the plan has refused it."""
    if lost(seen):
        return Side(host, "", "unreachable", NOT_REACHED_FIRST)
    failed = next((look for look in (seen or {}).get("results", []) if look.get("failed")), None)
    why = f"{_said(failed)}{UNCHANGED}" if failed else why
    return Side(host, "", "refused", why or "left the run before its waves, see above")


def _said(failed: t.Mapping[str, t.Any]) -> str:
    """Where a module never came to answer (sudo refuses, say), the last line on stderr tells more than its result."""
    stderr = str(failed.get("module_stderr") or "").split("\n")
    last = next((line.strip() for line in reversed(stderr) if line.strip()), "")
    return f"{trouble(failed).rstrip('.')}{f': {last[:200]}' if last else ''}".rstrip(".")


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
        if not result or result.get("skipped") or not (one.lost or one.outcome in ("promoted", "failed")):
            ended.append(one)
        elif result.get("outcome") == "plain":
            with_all = WITH_ALL if one.outcome == "promoted" else f"{WITH_ALL}; before: {one.why}"
            why = f"answered again at the end of the run and is plain ({one.why})" if one.lost else with_all
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
        stop = f"the run stopped at {stopped['name']}: {'; '.join(stopped['why'])}"
        skipped = {one.host: f" (skipped: {one.why})" for one in found if one.outcome == "skipped" and one.why}
        return {host: f"{stop}{skipped.get(host, '')}" for host in stopped["hosts"]}
    return {host: "; ".join(reasons) for host, reasons in told.items()}


def counts(found: t.Sequence[Side]) -> dict[str, int]:
    """How many hosts have each outcome; one with two sides may have two."""
    hosts = {outcome: {one.host for one in found if one.outcome == outcome} for outcome in ORDER}
    return {outcome: len(named) for outcome, named in hosts.items() if named}


def exit_status(found: t.Sequence[Side], told: t.Mapping[str, str]) -> int:
    """That of ansible-playbook after it: 4 where a host was not reached before the waves, else 2 where anybody is neither
    promoted nor skipped for a reason, or something is amiss (``told``) all the same."""
    if any(one.why in (NOT_REACHED_FIRST, LOST_DEPLOYING) for one in found):
        return 4
    return 0 if {one.outcome for one in found} <= set(FINE) and not told else 2


def lines(found: t.Sequence[Side], advice: t.Sequence[str]) -> list[str]:
    """The run in a few lines: who has TCP Fast Open, who has not and why, and what to do."""
    shown = ["End of the run"]
    for outcome in ORDER:
        ended = [one for one in found if one.outcome == outcome]
        if not ended:
            continue
        names = list(dict.fromkeys(one.host for one in ended))
        shown.append(f"  {outcome:<12} {len(names)}: {_lines.named(names)}")
        if outcome not in ("promoted", "planned"):
            shown += [f"    {one.host}: {one.why}" for one in ended if one.why != NOT_REACHED]
    return [*shown, *(f"  {told}" for told in advice)]
