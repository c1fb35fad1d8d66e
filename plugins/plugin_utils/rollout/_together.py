# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that clients reach at one address (a VIP, anycast, DNAT): they step together, and need one cookie key.

A client keeps one cookie an address, whichever of them answers: one that does not accept yet, or makes cookies of another
key, turns its SYN data away.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._plan import Look

Addresses = t.Mapping[str, t.Collection[str]]
"""By server the addresses at which clients reach it."""


def groups(addresses: Addresses) -> list[list[str]]:
    """The servers that share an address with others, also by way of a third one; in the order of ``addresses``."""
    found: list[set[str]] = []
    for server, mine in addresses.items():
        linked = [group for group in found if any(set(addresses[other]) & set(mine) for other in group)]
        found = [group for group in found if group not in linked] + [{server}.union(*linked)]
    return [[server for server in addresses if server in group] for group in found if len(group) > 1]


def refusals(
    together: t.Sequence[t.Sequence[str]],
    addresses: Addresses,
    looks: t.Mapping[str, t.Sequence[Look]],
    refused: t.Container[str],
) -> dict[str, str]:
    """By server with a step to make why it cannot make it beside those that share an address with it.

    ``refused`` are hosts that are left out for other reasons. A server that is skipped takes no SYN data, and needs no key.
    """
    against: dict[str, str] = {}
    for group in together:
        seen = {host: next((look for look in looks.get(host, ()) if look["side"] == "server"), None) for host in group}
        count = [host for host, look in seen.items() if look is None or look["step"]["outcome"] != "skipped"]
        movers = [host for host in count if host not in refused and seen[host] and not seen[host]["done"]]
        why = _why(count, seen, refused) if len(count) > 1 else ""
        for host in movers if why else ():
            others = ", ".join(other for other in count if other != host)
            shared = sorted(
                set(addresses[host]) & {one for other in count if other != host for one in addresses[other]}
            )
            against[host] = f"clients reach it at {', '.join(shared) or 'an address'} as they reach {others}: {why}"
    return against


def _why(count: t.Sequence[str], seen: t.Mapping[str, t.Optional[Look]], refused: t.Container[str]) -> str:
    unseen = [host for host in count if seen[host] is None]
    if unseen:
        return (
            f"they step together, and {', '.join(unseen)} is not in this run, or was not reached: have all of them in the"
            " limit"
        )
    left_out = [host for host in count if host in refused]
    if left_out:
        return f"they step together, and {', '.join(left_out)} is refused"
    keys = [seen[host]["cookie_keys"] for host in count]
    if all(mine and mine[0] in theirs for mine in keys for theirs in keys):
        return ""
    return (
        "they need one cookie key, or each turns away the SYN data of the others' clients, and their kernels have different"
        " ones, or none yet: give them one tcp_fastopen_key and apply role tcp_fastopen (docs/limits.md)"
    )
