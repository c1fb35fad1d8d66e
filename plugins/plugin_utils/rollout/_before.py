# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a run between its plan and its first wave."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._end import NOT_REACHED, Side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._phases import Result, lost, trouble

PREFLIGHT = "the preflight"
"""Where such a run has stopped."""
NOT_DEPLOYED = "plain Shadowsocks could not be deployed, see above"


def without_servers(asked: t.Mapping[str, Result]) -> dict[str, str]:
    """By client what speaks against it: a server outside of the limit that accepts no SYN data yet, or does not tell.

    ``asked`` is by host what its loop over tfo_path at servers has returned.
    """
    why: dict[str, list[str]] = {}
    first: dict[str, list[str]] = {}
    for one in (one for result in asked.values() for one in (result or {}).get("results", [])):
        question, paths = one["__rollout_ask"], one.get("paths", [])
        server = question["server"]
        if one.get("failed") or one.get("unreachable"):
            told = (
                f"server {server} is outside of this run's limit, and could not be asked whether it accepts SYN data:"
                f" {trouble(one)}"
            )
        elif any(path["verdict"] != "fast_open" for path in paths):
            told = f"server {server} does not accept SYN data yet and is outside of this run's limit"
            for client in question["clients"]:
                first.setdefault(client, []).append(server)
        else:
            continue
        for client in question["clients"]:
            why.setdefault(client, []).append(told)
    command = ". Run first: ansible-playbook fastopen.shadowsocks.rollout --limit "
    then = {client: f"{command}{','.join(servers)}" for client, servers in first.items()}
    return {client: "; ".join(told) + then.get(client, "") for client, told in why.items()}


def not_held(claims: t.Mapping[str, Result]) -> dict[str, str]:
    """By host why it is not held for this run, as where another one has it. A host that does not answer any more is its wave's
    to name: the others go on."""
    return {
        host: trouble(claim)
        for host, claim in claims.items()
        if claim
        and not claim.get("skipped")
        and not lost(claim)
        and (claim.get("failed") or claim["outcome"] == "refused")
    }


def sides(found: t.Sequence[Side], against: t.Mapping[str, str], early: t.Container[str] = ()) -> list[Side]:
    """The sides of all hosts as that leaves them: refused, or failed where what it runs now is not known; whose side has its
    stage already, or is skipped, stays so.

    ``early``: clients that come before their servers. Their looks may have skipped them for just that.
    """
    ended = []
    for one in found:
        skipped_for_it = one.host in early and (one.side, one.outcome) == ("client", "skipped")
        if one.host in against and (one.why == NOT_REACHED or skipped_for_it):
            why = against[one.host]
            one = one._replace(outcome="failed" if why == NOT_DEPLOYED else "refused", why=why)
        ended.append(one)
    return ended
