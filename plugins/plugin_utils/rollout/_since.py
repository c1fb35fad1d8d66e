# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened on a host between two looks at it."""

from __future__ import annotations

import typing as t

Watched = t.Mapping[str, t.Any]
"""Of a look at a server, its ``counters`` and ``services``."""


def since(earlier: Watched, now: Watched) -> dict[str, t.Any]:
    """``counters`` that rose, and ``restarts``: automatic ones, and services that do not run any more.

    A service that did not run before either is no event. Counters of a host that was rebooted in between start anew and
    count from zero.
    """
    before = earlier["counters"]
    risen = {name: value - before.get(name, 0) for name, value in now["counters"].items()}
    if any(increase < 0 for name, increase in risen.items() if name.startswith("TCPFastOpen")):
        risen = dict(now["counters"])
    restarts = 0
    known = {service["unit"]: service for service in earlier["services"]}
    for service in now["services"]:
        was = known.get(service["unit"], {"restarts": 0, "state": "active"})
        restarts += max(0, service["restarts"] - was["restarts"])
        restarts += service["state"] != "active" and was["state"] == "active"
    return {"counters": {name: value for name, value in risen.items() if value > 0}, "restarts": restarts}
