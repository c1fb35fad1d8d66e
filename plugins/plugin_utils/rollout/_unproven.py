# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that an earlier run has brought to send, and whose servers leave this run before it makes a step.

A look excuses a path whose server is to accept by this run. One that is refused, or cannot be reached, does not: nothing is
proven of such a client, and to try it would hold its server's trouble against it.
"""

from __future__ import annotations

import typing as t

Looks = t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]
"""By host what tfo_host returned for its sides."""


def marked(looks: Looks, hosts: t.Container[str]) -> dict[str, list[t.Mapping[str, t.Any]]]:
    """The looks, those at such clients as ``unproven`` and skipped; ``hosts`` are those that the run goes on with."""
    return {host: [_marked(look, hosts) for look in sides] for host, sides in looks.items()}


def _marked(look: t.Mapping[str, t.Any], hosts: t.Container[str]) -> t.Mapping[str, t.Any]:
    if look["side"] != "client" or look["step"]["outcome"] != "confirmed":
        return look
    reasons = [
        f"{path['verdict']}: {', '.join(path['server_hosts'])} port {path['port']}, and that server takes no part in this run"
        for path in look["paths"]
        if path["verdict"] != "fast_open"
        and path.get("server_hosts")
        and not any(h in hosts for h in path["server_hosts"])
    ]
    if not reasons:
        return look
    return {**look, "step": {**look["step"], "outcome": "skipped"}, "reasons": reasons, "unproven": True}
