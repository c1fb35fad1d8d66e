# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server fares that has stepped, by itself: its kernel's counters, its services, and SYNs with data sent to it.

Where nobody manages its clients this is all there is to know. A server sees what reaches it: not the SYNs with data that a
network loses on their way, nor what its clients wait for.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _since

TAKEN, OVERFLOW = "TCPFastOpenPassive", "TCPFastOpenListenOverflow"
REFUSED = "TCPFastOpenPassiveFail"
"""Of SYNs with a wrong cookie, which anybody may send: shown, and no evidence."""
TROUBLE = {"ListenDrops": "SYNs dropped", "EstabResets": "connections reset", "RetransSegs": "segments sent again"}
FAST_OPEN, UNREACHABLE = "fast_open", "unreachable"


def since(server: str, before: _since.Watched, now: _since.Watched) -> dict[str, t.Any]:
    """What _since tells, without the SYN data that this run's own probes have put in (``own`` of a look); ``said``, the
    figures in a line; and what speaks ``against`` the step. ``restarted`` in ``before``: the step has restarted a service.
    """
    found = _since.since(before, now)
    counters = found["counters"]
    counters[TAKEN] = max(0, counters.get(TAKEN, 0) - (now["own"] - before["own"]))
    return {
        **found,
        "said": _said(counters, now["proven"], bool(before.get("restarted"))),
        "against": _against(server, counters, now["paths"]),
    }


def _said(counters: t.Mapping[str, int], proven: t.Sequence[t.Mapping[str, t.Any]], restarted: bool) -> str:
    parts = [
        f"took {counters[TAKEN]} SYNs with data, refused {counters.get(REFUSED, 0)}, "
        f"queue overflow {counters.get(OVERFLOW, 0)}"
    ]
    trouble = [f"{counters[name]} {words}" for name, words in TROUBLE.items() if counters.get(name)]
    if trouble:
        parts.append(f"{'its restart included' if restarted else 'since its step'}: {', '.join(trouble)}")
    for one in proven:
        end = "SYN data is taken" if one["verdict"] == FAST_OPEN else f"{one['verdict']} (shown, not judged)"
        parts.append(f"from {one['by']} to port {one['port']}: {end}")
    return "; ".join(parts)


def _against(server: str, counters: t.Mapping[str, int], paths: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterable[str]:
    """A full queue turns SYN data away and nothing else, so that a probe that meets one is no evidence."""
    found = []
    for path in paths:
        if path["verdict"] == UNREACHABLE:
            found.append(f"{server}: nothing answers on port {path['port']} any more")
        elif path["verdict"] != FAST_OPEN and not counters.get(OVERFLOW):
            found.append(f"{server}: port {path['port']} does not take SYN data any more ({path['verdict']})")
    return found
