# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about one batch of servers or one wave of clients, from what each host's step came to."""

from __future__ import annotations

import typing as t

Result = t.Mapping[str, t.Any]
"""What tfo_stage returned for a host, or Ansible's failed or unreachable result."""

GOOD = ("proven", "planned", "kept")


class Judgement(t.NamedTuple):
    """``verdict`` promote, roll_back or inconclusive; ``hosts`` one {outcome, reasons} a host; ``msg`` for people."""

    verdict: str
    hosts: dict[str, dict[str, t.Any]]
    msg: str


def outcome(result: Result) -> dict[str, t.Any]:
    """One host's outcome: tfo_stage's own, or ``unreachable`` or ``failed``."""
    if result.get("unreachable"):
        return {"outcome": "unreachable", "reasons": ["unreachable: it counts as not done"]}
    if result.get("failed"):
        return {"outcome": "failed", "reasons": [str(result.get("msg", "the task failed"))]}
    return {"outcome": result["outcome"], "reasons": list(result.get("reasons", []))}


def judge(step: str, results: t.Mapping[str, Result], check: bool = False) -> Judgement:
    """A host that failed, or whose tunnel is not proven, takes its wave back; hosts that were left do not.

    A wave in which no host is left is neither good nor bad: it stops the run, and nothing is taken back.
    """
    hosts = {host: outcome(result) for host, result in results.items()}
    bad = [host for host, one in hosts.items() if one["outcome"] in ("unproven", "failed")]
    good = [host for host, one in hosts.items() if one["outcome"] in GOOD]
    told = "\n".join(f"  {host}: {one['outcome']}{_because(one)}" for host, one in hosts.items())
    if check:
        return Judgement("promote", hosts, f"{step}: planned\n{told}")
    if bad:
        return Judgement("roll_back", hosts, f"{step}: {', '.join(bad)} not proven, so the wave goes back\n{told}")
    if not good:
        return Judgement(
            "inconclusive",
            hosts,
            f"{step}: nobody is left in this wave, so nothing can be learnt from it; mend the paths below, or take these "
            f"hosts out of the limit, and run again\n{told}",
        )
    return Judgement("promote", hosts, f"{step}: {len(good)} of {len(hosts)} proven\n{told}")


def _because(one: t.Mapping[str, t.Any]) -> str:
    return f" ({'; '.join(one['reasons'])})" if one["reasons"] else ""
