# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import (
    _advice,
    _before,
    _end,
    _unproven,
    _waves,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import registered
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._finishing import Ending, FinishingAction
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import stopped_at

BEFORE = ("asked", "held", "deployed")
"""Moments between the plan and the first wave."""
REGISTERED = ("__rollout_seen", "__rollout_wave", "__rollout_taken_back", "__rollout_door", "__rollout_plan")
REGISTERED_BEFORE = ("__rollout_asked", "__rollout_claim", "__rollout_undeployable")


class ActionModule(FinishingAction):
    """Read how each host's waves have ended, or why there are none; no host is contacted."""

    ARGUMENTS = {"at": {"type": "str", "required": True, "choices": [*BEFORE, "ending", "ended"]}}

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Before the waves, whether there are any; before the last hosts are taken back, which; after it, how all has ended."""
        hosts = list(task_vars["ansible_play_batch"])
        seen = {host: dict(zip(REGISTERED, registered(task_vars, host, *REGISTERED))) for host in hosts}
        looks = {host: one["__rollout_seen"]["results"] for host, one in seen.items()}
        first = seen[hosts[0]]
        plan, variables = first["__rollout_plan"], first["__rollout_door"]["variables"]
        looks = _unproven.marked(looks, plan["hosts"])
        if arguments["at"] in BEFORE:
            return self._before(arguments["at"], task_vars, variables, plan, looks)
        waves = {host: one["__rollout_wave"] for host, one in seen.items() if one["__rollout_wave"]}
        found = [side for host in hosts for side in _end.sides(looks[host], waves.get(host), host)]
        everybody = variables["rollout_revert"] == "all"
        back = _end.to_revert(found, waves.values(), everybody)
        if arguments["at"] == "ending":
            return {"revert": back}
        found = _end.taken_back(found, self._results(back, {host: seen[host]["__rollout_taken_back"] for host in back}))
        found += self.gone(task_vars, plan, hosts)
        stopped = next(filter(None, map(stopped_at, waves.values())), None)
        clients = task_vars["groups"].get("shadowsocks_clients", [])
        amiss = {host: why for host, why in _end.amiss(found, stopped).items() if host in hosts}
        following = _advice.left(clients, task_vars["groups"].get("canary", []), hosts)
        advice = _advice.advice(found, stopped, task_vars.get("ansible_limit"), following)
        where = (stopped["name"], stopped["verdict"]) if stopped else ("", "")
        return self._end(task_vars, variables, plan, Ending(found, amiss, advice, *where))

    def _before(
        self,
        at: str,
        task_vars: dict[str, t.Any],
        told: t.Mapping[str, t.Any],
        plan: t.Mapping[str, t.Any],
        looks: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]],
    ) -> dict[str, t.Any]:
        """Who cannot be taken along. Once it was tried to hold all hosts, anybody ends the run; after their deployment, only
        everybody does."""
        asked, claims, undeployable = (
            {host: registered(task_vars, host, name)[0] for host in looks} for name in REGISTERED_BEFORE
        )
        early = _before.without_servers(asked) if at != "deployed" else {}
        if at == "deployed":
            amiss = {host: _before.NOT_DEPLOYED for host, failed in undeployable.items() if failed}
            ends = len(amiss) == len(looks)
        else:
            amiss = {**early, **(_before.not_held(claims) if at == "held" else {})}
            ends = at == "held" and bool(amiss)
        if not ends:
            return {"amiss": amiss, **(self._out(plan, amiss, looks) if at == "deployed" else {})}
        found = [side for host in looks for side in _end.sides(looks[host], None, host)]
        found = _before.sides(found, amiss, early) + self.gone(task_vars, plan, list(looks))
        ending = Ending(found, amiss, _advice.advice(found, None, task_vars.get("ansible_limit")), _before.PREFLIGHT)
        return self._end(task_vars, told, plan, ending)

    @staticmethod
    def _out(plan: t.Mapping[str, t.Any], amiss: t.Container[str], left: t.Container[str]) -> dict[str, t.Any]:
        """Who is in no wave, and where servers go together the batches without them."""
        out = [host for host in plan["hosts"] if host in amiss or host not in left]
        in_order = plan["in_order"]
        return {"out": out, **({"batches": _waves.left(plan["batches"], in_order, out)} if in_order else {})}

    def _end(
        self, task_vars: dict[str, t.Any], told: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any], ending: Ending
    ) -> dict[str, t.Any]:
        lines = [*self.finish(task_vars, told, plan, ending), *_end.lines(ending.found, ending.advice)]
        return {"lines": lines, "amiss": ending.amiss}

    @staticmethod
    def _results(
        back: t.Mapping[str, t.Sequence[t.Mapping[str, str]]], registered_by: t.Mapping[str, t.Any]
    ) -> dict[tuple[str, str], t.Any]:
        """By host and side what taking it back has returned; the whole task's result where it has none of its own."""
        found = {}
        for host, wanted in back.items():
            whole = registered_by[host] or {}
            items = {one["__rollout_back"]["side"]: one for one in whole.get("results", [])}
            found.update({(host, one["side"]): items.get(one["side"], whole) for one in wanted})
        return found
