# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks servers for cookies before they accept SYN data: with bit 0x2 all of them get TCP Fast Open at once.

The kernel counts requests for a cookie with 0x2 off as well (TCPFastOpenCookieReqd), and does not say whose they were. A
look changes nothing on a host, so that nobody keeps how many of them this collection has made itself. They are counted
out by a bound: what a run makes at this server, for RUNS runs since boot and one more for each day since.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._ss_processes import MAY
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._proof import PROBE_ATTEMPTS
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._plan import Look

RUNS = 10
"""Rollouts, plans and audits since boot that are this collection's, beside a daily one."""
LOOKS, LOOPBACK = 2, 6
"""Looks of a run at a server before its step, and what each asks for over loopback, three times a family."""
MINUTE, HOUR, DAY = 60, 3600, 86_400
CLIENTS = ("ss-local", "ss-redir", "ss-tunnel", "sslocal", "ssservice local")
"""Programs whose TCP Fast Open goes to servers; that of servers goes to origins."""


class Demand(t.NamedTuple):
    """``asked`` requests for cookies since boot, ``seconds`` ago (None: not known), of which at most ``own`` are this
    collection's; ``askers``: managed clients of the server that send SYN data already."""

    asked: int
    seconds: t.Optional[int]
    own: int
    askers: tuple[str, ...] = ()

    @property
    def explained(self) -> bool:
        """Whether nobody else needs to have asked."""
        return self.asked <= self.own or bool(self.askers)

    def __str__(self) -> str:
        told = f"{self.asked} since boot"
        if self.seconds is None:
            return told
        if self.seconds < HOUR:  # a rate would be made up
            return f"{told} (up {self.seconds // MINUTE} min)"
        return f"{told}, {self.asked * HOUR / self.seconds:.1f} an hour"


def of(looks: t.Mapping[str, t.Sequence[Look]], paths_to: t.Callable[[str], int]) -> dict[str, Demand]:
    """The demand at each server that does not accept yet and was asked at all.

    ``paths_to`` counts the inventory's client instances of a server; it is called only where that can make a difference.
    """
    found = {}
    for host, look in ((host, look) for host, sides in looks.items() for look in sides if look["side"] == "server"):
        asked = look["fastopen"]["counters"].get("TCPFastOpenCookieReqd", 0)
        if look["done"] or not asked:
            continue
        seconds = look["uptime_seconds"]
        own = _own(len(look["paths"]), 0, seconds)
        if asked > own:
            own = _own(len(look["paths"]), paths_to(host), seconds)
        found[host] = Demand(asked, seconds, own, tuple(_askers(looks, host)))
    return found


def paths_to(
    server: str, clients: t.Iterable[str], instances: t.Callable[[str], t.Sequence[t.Mapping[str, t.Any]]]
) -> int:
    """How many client instances of the inventory use this server."""
    return sum(str(instance.get("server")) == server for client in clients for instance in instances(client))


def _own(ports: int, paths: int, seconds: t.Optional[int]) -> int:
    """How many requests this collection may have made: at so many ports from the server itself, over so many paths."""
    run = LOOKS * (LOOPBACK + PROBE_ATTEMPTS * ports) + PROBE_ATTEMPTS * paths
    return run * (RUNS + (seconds or 0) // DAY)


def _askers(looks: t.Mapping[str, t.Sequence[Look]], server: str) -> list[str]:
    """The clients of this server that ask already, by us or by their own config, as far as this run has seen them."""
    return [
        host
        for host, sides in looks.items()
        for look in sides
        if look["side"] == "client"
        and any(server in path.get("server_hosts", ()) for path in look["paths"])
        and _sends(look)
    ]


def _sends(look: Look) -> bool:
    fastopen = look["fastopen"]
    own = any(one["program"] in CLIENTS and not one["reason"].endswith(MAY) for one in fastopen["processes"])
    return look["stage"]["actual"] == "send" or (own and bool((fastopen["sysctl"] or {}).get("send")))


def lines(demands: t.Mapping[str, Demand]) -> list[str]:
    """One line a server, for the plan."""
    return [f"  {host} was asked for cookies: {demand}{_whose(demand)}" for host, demand in demands.items()]


def _whose(demand: Demand) -> str:
    if demand.asked <= demand.own:
        return "; no more than this collection's own probes may have made"
    if demand.askers:
        return f"; asked already by {', '.join(demand.askers)}"
    return f"; {demand.own} at most by this collection's own probes, the rest by clients that are not managed"


def refusals(looks: t.Mapping[str, t.Sequence[Look]], demands: t.Mapping[str, Demand]) -> dict[str, str]:
    """By server why it is not to accept unasked: a step would turn TCP Fast Open on for clients that nobody watches.

    One that accepts already, or was promoted before, turns nothing on.
    """
    return {
        host: f"was asked for cookies by clients that are not managed: {demand}, {demand.own} at most by this collection's"
        f" own probes ({RUNS} runs or audits since boot, and one a day), and no managed client that this run has looked at asks"
        " it. As soon as it accepts, all of them send SYN data to it. Where that is meant to be, or audits have come more often:"
        " -e rollout_accept_unmanaged=true (docs/unmanaged.md)"
        for host, demand in demands.items()
        if not demand.explained and any(_turns_on(look) for look in looks[host] if look["side"] == "server")
    }


def _turns_on(look: Look) -> bool:
    stage = look["stage"]
    return look["step"]["outcome"] != "skipped" and (stage["intended"], stage["actual"]) == ("off", "off")
