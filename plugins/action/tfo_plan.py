# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import functools
import math
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _inventory, _lists, _reached
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _verdict
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import (
    _advice,
    _before,
    _demand,
    _end,
    _journal,
    _metrics,
    _plan,
    _policy,
    _process,
    _refusals,
    _together,
    _unproven,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    registered,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._finishing import Ending, FinishingAction

Instances = t.Callable[[str], t.Sequence[t.Any]]
"""Gives the client instances of a client."""
LIMITS = (
    "rollout_bake_seconds",
    "rollout_probe_requests",
    "rollout_confidence",
    "rollout_max_slowdown_ms",
    "rollout_max_error_share",
    "rollout_max_reverted_share",
)
"""What the journal keeps of the variables: a verdict is read beside them."""
TWICE = "this ansible-playbook has had a rollout already, whose waves and groups it keeps to its end: give this one a call of its own"
ASKED_SECONDS, REQUEST_SECONDS = 20, 3
"""What a measurement takes at most, as a rule: to start, and for a request of each kind."""


class ActionModule(FinishingAction):
    """Show the plan that follows from the looks at all hosts, and begin the journal; no host is contacted."""

    ARGUMENTS = {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "run": {"type": "str", "required": True},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read each host's __rollout_seen and give the plan, without the hosts that are ``refused``."""
        groups = task_vars["groups"]
        names = ("__rollout_seen", "__rollout_door", "__rollout_plan")
        known = {host: registered(task_vars, host, *names) for host in arguments["hosts"]}
        if any(before for _seen, _door, before in known.values()):
            self._refuse([TWICE])
        told = {host: door["variables"] for host, (_seen, door, _before) in known.items()}
        looks = {host: seen["results"] for host, (seen, _door, _before) in known.items()}
        lookup = _inventory.reader(task_vars["hostvars"], evaluation(self._loader))
        instances = self._reader(lookup, looks)
        clients = groups.get("shadowsocks_clients", [])
        demands = _demand.of(looks, lambda server: _demand.paths_to(server, clients, instances))
        servers = groups.get("shadowsocks_servers", []) if _plan.has_server(looks) else []
        addresses = {host: _reached.addresses(host, lookup) for host in servers}
        together = _together.groups(addresses)
        refused = self._refused(looks, told, demands, lambda out: _together.refusals(together, addresses, looks, out))
        if len(refused) == len(looks):
            variables = told[arguments["hosts"][0]]
            raise AnsibleActionFail(
                "\n".join(self._nobody_left(task_vars, variables, arguments["run"], looks, refused))
            )
        canary = groups.get("canary", [])
        canary_done = _plan.canary_done(looks, canary)  # what was learnt by one that is refused now stays so
        looks = {host: sides for host, sides in looks.items() if host not in refused}
        looks = _unproven.marked(looks, looks)
        hosts = list(looks)
        variables = told[hosts[0]]
        passed = _plan.passed(looks, canary)
        sizes = variables["rollout_server_batches"], variables["rollout_client_waves"]
        waves = _plan.waves(looks, passed, canary, *sizes, together, clients)
        batches = [batch for name, batch in waves.items() if name.startswith("batch")]
        also = _plan.listeners(looks)
        lines = _plan.lines(looks, waves) + [f"  {host}: {words}" for host, words in also.items()]
        lines += _plan.by_hand(looks)
        lines += _demand.lines({host: demand for host, demand in demands.items() if host in looks})
        harm: dict[str, float] = {}
        if variables["rollout_probe_requests"]:
            policy = _policy.of(variables)
            harm = _plan.smallest_harm(waves, lambda clients: _verdict.smallest_harm(clients, policy))
            lines += _plan.harm_lines(harm)
        witnesses = self._witnesses(groups, instances, looks)
        ask = _plan.questions(looks, task_vars["ansible_play_hosts_all"])
        lease = self._lease_seconds(variables, waves, task_vars.get("ansible_forks", 5))
        event = {"plan": lines, "hosts": hosts, "waves": waves, "smallest_harm": harm, "lease_seconds": lease}
        event.update(also=also, sides=self._sides(task_vars))
        run, started = arguments["run"], _journal.now()
        before = [one._asdict() for one in self.gone(task_vars, {}, arguments["hosts"])]
        event.update(run=run, refused=refused, gone=before, limit=task_vars.get("ansible_limit") or "")
        path = self._begin(variables, event)
        self.notify(task_vars, "start", f"begun, steps: {len(waves)}, hosts: {len(hosts)}")
        outcomes = collections.Counter([*(one["outcome"] for one in before), *("refused" for _host in refused)])
        self.export_metrics(variables["rollout_textfile_directory"], lambda: _metrics.Metrics(run, started, outcomes))
        return {
            "run": run,
            "started": started,
            "hosts": hosts,
            "refused": refused,
            "lines": [*([f"Journal: {path}"] if path else []), *lines],
            "journal": path,
            "ask": ask,
            "batches": [len(batch) for batch in batches],
            "in_order": [host for batch in batches for host in batch] if together else [],
            "passed": _plan.outside(event["sides"], looks, passed),
            "busy": [host for host, sides in looks.items() if len(passed.get(host, [])) < len(sides) or host in ask],
            "undeployed": [host for host, sides in looks.items() if any(look["deployed"] == "no" for look in sides)],
            "canary_done": canary_done,
            "canary_expected": not canary_done
            and any(host in canary and "client" in named for host, named in event["sides"].items()),
            "witnesses": witnesses,
            "provers": _plan.provers(looks, passed, witnesses, lambda *names: _reached.targets(*names, lookup)),
            "lease_seconds": lease,
        }

    def _refused(
        self,
        looks: t.Mapping[str, t.Sequence[_plan.Look]],
        told: t.Mapping[str, t.Mapping[str, t.Any]],
        demands: t.Mapping[str, _demand.Demand],
        beside: t.Callable[[t.Container[str]], t.Mapping[str, str]],
    ) -> dict[str, str]:
        """The hosts that are left out, and why; ``beside``: those that cannot step beside others that are.

        Raises what speaks against the run as a whole, or against all hosts.
        """
        self._refuse(_refusals.twins({host: sides[0]["machine"] for host, sides in looks.items()}))
        self._refuse([line for host, sides in looks.items() for line in _refusals.kept_out(host, sides, told[host])])
        self._refuse([line for host, sides in looks.items() for line in _refusals.held(host, sides)])
        reasons = {host: _refusals.refusals(sides) for host, sides in looks.items()}
        for host, why in _demand.refusals(looks, demands).items():
            reasons[host] += [] if told[host]["rollout_accept_unmanaged"] else [why]
        for host, why in beside({host for host, some in reasons.items() if some}).items():
            reasons[host] += [why]
        return {host: f"{host}: {'; '.join(why)}{_refusals.UNCHANGED}" for host, why in reasons.items() if why}

    def _nobody_left(
        self,
        task_vars: dict[str, t.Any],
        variables: t.Mapping[str, t.Any],
        run: str,
        looks: t.Mapping[str, t.Sequence[_plan.Look]],
        refused: t.Mapping[str, str],
    ) -> list[str]:
        """End a run that refuses everybody; what is to be said of it."""
        nothing = {"plan": [], "hosts": [], "waves": {}, "smallest_harm": {}, "lease_seconds": 0.0}
        limit = task_vars.get("ansible_limit")
        event = {"run": run, "refused": refused, "limit": limit or "", "sides": self._sides(task_vars), **nothing}
        begun = {"run": run, "started": _journal.now(), "journal": self._begin(variables, event)}
        ending = self._nobody(looks, refused, self.gone(task_vars, {}, list(looks)), limit)
        return [*refused.values(), *ending.advice, *self.finish(task_vars, variables, begun, ending)]

    @staticmethod
    def _nobody(
        looks: t.Mapping[str, t.Sequence[_plan.Look]],
        refused: t.Mapping[str, str],
        gone: t.Sequence[_end.Side],
        limit: t.Optional[str],
    ) -> Ending:
        """The end of a run that refuses everybody, but those that were ``gone`` before."""
        amiss = {host: _refusals.bare(host, why) for host, why in refused.items()}
        found = [
            _end.Side(host, look["side"], "refused", amiss[host]) for host, sides in looks.items() for look in sides
        ]
        found += gone
        return Ending(found, amiss, _advice.advice(found, None, limit), _before.PREFLIGHT)

    @staticmethod
    def _sides(task_vars: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
        """By host of the play its sides, also of those that leave the run before they are looked at."""
        members = {side: task_vars["groups"].get(f"shadowsocks_{side}s", []) for side in _plan.STAGES}
        return {
            host: [side for side, hosts in members.items() if host in hosts]
            for host in task_vars["ansible_play_hosts_all"]
        }

    @staticmethod
    def _refuse(errors: list[str]) -> None:
        if errors:
            raise AnsibleActionFail("Nothing was changed:\n" + "\n".join(errors))

    def _begin(self, variables: t.Mapping[str, t.Any], event: dict[str, t.Any]) -> str:
        """Begin the journal, but for check mode; nothing has changed yet, so that a folder that cannot be used is refused."""
        if self._task.check_mode:
            return ""
        try:
            limits = {name: variables[name] for name in LIMITS}
            # The process of ansible-playbook: each task has one of its own.
            who = {"who": _process.who(), "process": _process.process(os.getppid())}
            first = {"step": "preflight", **who, **event, "limits": limits}
            return _journal.start(variables["rollout_report_dir"], "rollout", {}, first)
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"rollout_report_dir: the journal cannot be written: {error}") from None

    @staticmethod
    def _lease_seconds(variables: dict[str, t.Any], waves: dict[str, list[str]], forks: int) -> float:
        """For how long a host waits for the next call of this run before it undoes a step: the bake, then the requests of
        all hosts of its wave that wait for a fork before it, and what the controller does in between."""
        turns = math.ceil(max(map(len, waves.values()), default=1) / forks) + 1
        asked = ASKED_SECONDS + REQUEST_SECONDS * variables["rollout_probe_requests"]
        return variables["rollout_bake_seconds"] + 60 + turns * asked

    @staticmethod
    def _witnesses(
        groups: t.Mapping[str, t.Sequence[str]], instances: Instances, looks: t.Mapping[str, t.Sequence[_plan.Look]]
    ) -> dict[str, list[str]]:
        """By server of the run, and of some outside of it, the clients that tell how its plain traffic fares."""
        clients = sorted(groups.get("shadowsocks_clients", []), key=lambda name: name not in looks)
        servers = [host for host in looks if _plan.has_server({host: looks[host]})]
        others = [host for host in groups.get("shadowsocks_servers", []) if host not in servers]
        wanted = servers + others[: _plan.OTHER_SERVERS] if servers else []
        return _plan.witnesses(clients, instances, wanted)

    def _reader(self, lookup: _inventory.Lookup, looks: t.Mapping[str, t.Sequence[_plan.Look]]) -> Instances:
        """Gives a client's instances, each client read once, and one more for each server that only the look at it tells of:
        an adopted service names none where its address tells."""

        def read(name: str) -> t.Sequence[t.Any]:
            listed = self._instances(name, lookup)
            told = {str(instance.get("server")) for instance in listed}
            paths = [path for look in looks.get(name, ()) if look["side"] == "client" for path in look["paths"]]
            seen = {server for path in paths for server in path.get("server_hosts", ())}
            return [*listed, *({"server": server} for server in sorted(seen - told))]

        return functools.lru_cache(maxsize=None)(read)

    def _instances(self, name: str, lookup: _inventory.Lookup) -> t.Sequence[t.Any]:
        """The client's instances; none where they cannot be used: a host outside of the limit has not been checked."""
        own = lookup(name) or _inventory.Variables(name, {})
        try:
            raw = own.get("ss_client_instances", [])
            _fleet.side("client", own, raw, lookup)
            return _lists.entries(raw)
        except (_fleet.FleetError, _inventory.Unreadable) as error:
            self._display.warning(f"{name} does not count as a client of its servers: {error}")
            return []
