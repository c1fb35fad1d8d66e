# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run knows of its hosts: the looks of its preflight, its plan and variables, and the waves before this one."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _verdict
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _asking, _phases, _plan, _policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import registered
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import (
    Host,
    Limits,
    Tally,
    Wave,
    stopped_at,
)

Look = t.Mapping[str, t.Any]


class Run:
    """Reads what tasks have registered: __rollout_door, _seen, _plan, and each earlier wave's __rollout_wave."""

    def __init__(self, task_vars: dict[str, t.Any], batch: t.Sequence[str], side: str, check: bool) -> None:
        self._task_vars = task_vars
        self.side = side
        door, plan = registered(task_vars, batch[0], "__rollout_door", "__rollout_plan")
        self.variables: dict[str, t.Any] = door["variables"]
        self.plan: dict[str, t.Any] = plan
        self.policy = _policy.of(self.variables)
        self.judged = self.variables["rollout_probe_requests"] > 0 and not check
        self._looks: dict[str, Look] = {}

    @property
    def journal(self) -> str:
        """Its path, '' where there is none."""
        return self.plan["journal"]

    def look(self, host: str) -> Look:
        """What tfo_host returned of this side in the preflight."""
        if host not in self._looks:
            (seen,) = registered(self._task_vars, host, "__rollout_seen")
            self._looks[host] = next(look for look in seen["results"] if look["side"] == self.side)
        return self._looks[host]

    def wave(self, kind: str, batch: t.Sequence[str]) -> Wave:
        """A new wave; ``stop`` where an earlier one of this run has stopped it."""
        earlier = self._earlier(batch)
        waves = {kept["name"]: kept for kept in earlier.values() if "name" in kept}
        tally = Tally().plus(
            Host(**kept["hosts"][host])
            for host, kept in earlier.items()
            if kept.get("side") == self.side and host in kept["hosts"]
        )
        number = 1 + sum(kept["kind"] == kind for kept in waves.values())
        return Wave(
            side=self.side,
            kind=kind,
            name=kind if kind == "canary" else f"{kind} {number}",
            hosts={host: Host() for host in batch},
            limits=Limits(
                self.variables["rollout_max_reverted_share"], self.variables["rollout_max_unreachable_share"]
            ),
            tally=tally,
            canary=kind == "canary" and not self.plan["canary_done"],
            as_server={
                host: Host(**earlier[host]["hosts"][host])
                for host in batch
                if host in earlier.get(host, {}).get("hosts", {})
            },
            stop=any(kept.get("stop", True) for kept in earlier.values()),  # a wave that could not even be kept, too
            stopped=next(filter(None, map(stopped_at, earlier.values())), {}),
        )

    def lacks_canary(self, wave: Wave) -> bool:
        """Whether the canaries of this run have all left it before their wave, so that this one would be the first."""
        if wave.kind != "wave" or not self.plan["canary_expected"]:
            return False
        return not any(kept.get("kind") == "canary" for kept in self._earlier(list(wave.hosts)).values())

    def _earlier(self, batch: t.Collection[str]) -> dict[str, t.Mapping[str, t.Any]]:
        """By host the last wave that it was in, of other hosts of this run."""
        found = {}
        for host in self.plan["hosts"]:
            if host not in batch or self.side == "client":
                (kept,) = registered(self._task_vars, host, "__rollout_wave")
                if kept is not None and (host not in batch or kept.get("side") != self.side):
                    found[host] = kept
        return found

    def first_asks(self, wave: Wave) -> _asking.Asks:
        """Before the step: clients whose kernel may send SYN data already, or the witnesses of a batch."""
        if wave.side == "server":
            return self._of_servers(wave)
        return self._of_clients([host for host in wave.hosts if _plan.is_sender(self.look(host))], running=False)

    def asks_after(self, wave: Wave) -> _asking.Asks:
        """After it: clients that are stepped, or the same witnesses."""
        if wave.side == "server":
            return self._of_servers(wave)
        return self._of_clients(wave.with_outcome("stepped"), running=True)

    def more_asks(self, wave: Wave, more: t.Mapping[str, int]) -> _asking.Asks:
        """Once more, so many requests as the judge asks of each."""
        if wave.side == "client":
            return _asking.of_clients(more, running=True)
        batch = list(wave.hosts)
        return {
            host: [
                {**ask, "requests": more[_asking.key(ask, batch)]} for ask in asks if more.get(_asking.key(ask, batch))
            ]
            for host, asks in self._of_servers(wave).items()
        }

    def _of_servers(self, wave: Wave) -> _asking.Asks:
        return _asking.of_servers(list(wave.hosts), self.plan["witnesses"], self.policy.requests)

    def _of_clients(self, hosts: t.Sequence[str], running: bool) -> _asking.Asks:
        first = {host: _verdict.first_requests(max(1, len(self.look(host)["paths"])), self.policy) for host in hosts}
        return _asking.of_clients(first, running)

    def watchers(self, wave: Wave) -> dict[str, list[str]]:
        """Which host of the wave looks at which servers: those that its clients use, or that the batch is."""
        used: dict[str, t.Sequence[str]] = {}
        for host in wave.hosts:
            paths = self.look(host)["paths"]
            used[host] = [host] if wave.side == "server" else [s for path in paths for s in path["server_hosts"]]
        return _asking.watchers(list(wave.hosts), used)

    def on_now(self, wave: Wave) -> list[str]:
        """Clients that send already, left so by an earlier run; not those that do by their own unit, for they stay so."""
        return [host for host in wave.hosts if _plan.is_on_by_us(self.look(host))]

    def results(self, wave: Wave, name: str) -> dict[str, _phases.Result]:
        """What a task has registered for each host of the wave."""
        return {host: registered(self._task_vars, host, name)[0] for host in wave.hosts}

    def bake(self, wave: Wave) -> _phases.Result:
        """What waiting for it has returned."""
        return registered(self._task_vars, next(iter(wave.hosts)), "__rollout_bake")[0]

    def provers(self, wave: Wave) -> list[dict[str, t.Any]]:
        """Who sends SYNs with data to servers that have stepped and that no client can tell of."""
        provers = self.plan["provers"] if wave.side == "server" else {}
        return _asking.provers({host: provers[host] for host in wave.with_outcome("stepped") if host in provers})

    def proofs(self, wave: Wave) -> t.Mapping[str, t.Any]:
        """What those have returned."""
        return (
            registered(self._task_vars, next(iter(wave.hosts)), "__rollout_proven")[0] if wave.prove else None
        ) or {}

    def measurements(self, wave: Wave) -> t.Iterator[tuple[str, t.Any, t.Any]]:
        """For each host of the wave, what it has measured, and what it saw of servers."""
        for host in wave.hosts:
            yield (host, *registered(self._task_vars, host, "__rollout_requests", "__rollout_servers"))
