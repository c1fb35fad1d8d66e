# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wave has measured so far, before its step and after it, and what the judge says of it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _measurement, _verdict
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _asking, _fares, _phases, _since
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._run import Run
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Wave

KEPT = ("paths", "plain", "fast_open", "reasons", "restarts", "network", "failed", "unreachable", "msg")
"""What is kept of a measurement; the rest is for people."""
UNKNOWN = "whether their clients lose SYNs with data, or wait longer, cannot be known"
Results = dict[str, list[dict[str, t.Any]]]


@dataclasses.dataclass
class Measured:
    """``before`` and ``after`` by client (see _asking.key), one result of tfo_tunnel a round; ``servers_before`` and
    ``servers_now`` by server a look at it as ``_look`` keeps it. ``own`` counts by server the SYNs with data that this
    run's own probes have made it take so far. ``judged``: what the judge said last of all of them together."""

    before: Results = dataclasses.field(default_factory=dict)
    after: Results = dataclasses.field(default_factory=dict)
    servers_before: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    servers_now: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    own: dict[str, int] = dataclasses.field(default_factory=dict)
    judged: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    def hear_before(self, run: Run, wave: Wave) -> None:
        """Take in what was measured before the step."""
        self.servers_before = self._hear(run, wave, self.before)

    def hear_after(self, run: Run, wave: Wave) -> None:
        """Take in a round after the step."""
        self.servers_now = {**self.servers_now, **self._hear(run, wave, self.after)}

    def stepped(self, results: t.Mapping[str, _phases.Result]) -> None:
        """The step of servers has sent SYN data to them, and has restarted those units that it changed: of these systemd
        counts from there. Others of the host go on, one that starts again and again among them."""
        for server, result in results.items():
            self._probed(server, (result or {}).get("paths", []))
            names = [one["name"] for one in (result or {}).get("differs", [])]
            before = self.servers_before.get(server) or {}
            for service in before.get("services", []):
                unit = service["unit"]
                if any(name == unit or f"/{unit}.d/" in name for name in names):
                    service.update(restarts=0, state="active")
                    before["restarted"] = True

    def _probed(self, server: str, paths: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        taken = sum(bool(attempt["syn_data"]) for path in paths for attempt in path.get("attempts", []))
        self.own[server] = self.own.get(server, 0) + taken

    def _hear(self, run: Run, wave: Wave, into: Results) -> dict[str, t.Any]:
        servers: dict[str, t.Any] = {}
        proven = _asking.proven(run.proofs(wave).get("results", []))
        for host, requests, looks in run.measurements(wave):
            results = {
                _asking.key(one["__rollout_ask"], wave.hosts): one for one in (requests or {}).get("results", [])
            }
            for ask in wave.ask.get(host, []):
                key = _asking.key(ask, wave.hosts)
                result = results.get(key) or {"failed": True, "msg": _phases.trouble(requests)}
                into.setdefault(key, []).append({name: result[name] for name in KEPT if name in result})
            seen = {one["__rollout_server"]: one for one in (looks or {}).get("results", [])}
            for server in wave.watch.get(host, []):
                servers[server] = self._look(server, seen.get(server, {}), proven.get(server, []))
        return servers

    def _look(
        self, server: str, look: t.Mapping[str, t.Any], proven: t.Sequence[t.Mapping[str, t.Any]]
    ) -> dict[str, t.Any]:
        """What is kept of a look at a server: ``counters``, ``services``, ``own``, and the verdicts of ``paths`` by itself
        and of ``proven`` ones by other hosts; {unreachable} where there was none."""
        self._probed(server, proven)
        if "fastopen" not in look:
            return {"unreachable": _phases.lost(look)}
        fastopen = look["fastopen"]
        # A look sends SYN data over the loopback interface before it reads the counters, and to its ports after that.
        self.own[server] += sum(verdict == _fares.FAST_OPEN for verdict in fastopen["loopback"].values())
        own = self.own[server]
        self._probed(server, look["paths"])
        return {
            "counters": fastopen["counters"],
            "services": look["services"],
            "own": own,
            "paths": [{key: path[key] for key in ("port", "verdict")} for path in look["paths"]],
            "proven": [{key: path[key] for key in ("by", "port", "verdict")} for path in proven],
        }

    def answers_before(self, wave: Wave) -> dict[str, _phases.Result]:
        """What each host of the wave answered before its step."""
        return self.servers_before if wave.side == "server" else self._last(self.before)

    def answers(self, wave: Wave) -> dict[str, _phases.Result]:
        """What each host of the wave answered last."""
        return self.servers_now if wave.side == "server" else self._last(self.after)

    @staticmethod
    def _last(results: Results) -> dict[str, _phases.Result]:
        return {name: rounds[-1] for name, rounds in results.items()}

    def findings_before(self, run: Run, wave: Wave) -> dict[str, t.Any]:
        """What the judge says of each client before its step."""
        hosts = [host for host in self.before if host in wave.hosts]
        if not hosts:
            return {}
        clients = self._clients(self.before)
        result = _verdict.judge("send", hosts, clients, {}, {}, run.policy, last=True)
        return {
            host: {**finding, "measured": bool(clients[host].plain.ok)} for host, finding in result["hosts"].items()
        }

    def judgement(self, run: Run, wave: Wave, last: bool) -> dict[str, t.Any]:
        """What the judge says after the step: ``measure`` (requests still wanted), ``hosts``, and ``shared``, the verdict
        with its reasons that concerns the wave as a whole."""
        after = self._clients(self.after)
        if wave.side == "server":
            found = self._of_servers(run, wave, after, last)
        else:
            found = self._of_clients(run, wave, after, last)
        return found if last or found["measure"] else self.judgement(run, wave, last=True)  # nobody has a request left

    @staticmethod
    def _of_clients(run: Run, wave: Wave, after: dict[str, _measurement.Client], last: bool) -> dict[str, t.Any]:
        """A wave by the requests of its clients with TCP Fast Open and without, and by what they share."""
        hosts, total = wave.with_outcome("stepped"), wave.total
        earlier = (total.judged - len(hosts), total.bad)
        result = _verdict.judge("send", hosts, after, {}, {}, run.policy, earlier, last=last)
        return {**result, "shared": (result["pooled"]["verdict"], result["pooled"]["reasons"])}

    def _of_servers(self, run: Run, wave: Wave, after: dict[str, _measurement.Client], last: bool) -> dict[str, t.Any]:
        """A batch is judged by the witnesses that had an answer before its step and can be asked still.

        Where there never was one, nothing speaks against it but the servers themselves, see _fares.
        """
        before = self._clients(self.before)
        able = [name for name, one in before.items() if one.plain.ok and _asking.TO not in name]
        heard = [name for name in able if name in after and after[name].plain.requests]
        if not heard:
            said = (
                "the clients of these servers cannot be asked any more"
                if able
                else f"no managed client can tell of these servers: {UNKNOWN}"
            )
            return {"measure": {}, "hosts": {}, "shared": ("inconclusive" if able else "promote", [said])}
        others = [name for name, one in after.items() if _asking.TO in name and one.plain.requests]
        asked = {name: after[name] for name in [*heard, *others]}
        result = _verdict.judge("accept", heard, asked, before, {}, run.policy, last=last)
        silent = [f"{name}: it cannot be asked any more, and witnesses no longer" for name in able if name not in heard]
        alone = [server for server in wave.hosts if not run.plan["witnesses"].get(server)]
        silent += [f"{', '.join(alone)}: no managed client: {UNKNOWN}"] if alone else []
        return {**result, "shared": (result["verdict"], [*result["reasons"], *silent])}

    @staticmethod
    def _clients(results: Results) -> dict[str, _measurement.Client]:
        return {name: _measurement.client(rounds, name) for name, rounds in results.items()}

    def since(self, wave: Wave) -> dict[str, t.Any]:
        """What happened on each server since the step, see _since; None where that is not known.

        A server that could not be seen before is not among them, for nothing has become of it since: its clients are
        judged by their paths. One that is stepped itself is.
        """
        stepped = wave.with_outcome("stepped") if wave.side == "server" else []
        found: dict[str, t.Any] = {}
        for server, now in self.servers_now.items():
            before = self.servers_before.get(server, {})
            if "counters" in before and "counters" in now:
                found[server] = _fares.since(server, before, now) if server in stepped else _since.since(before, now)
            elif "counters" in before or server in stepped:
                found[server] = None
        return found
