# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _written
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    ControllerAction,
    registered,
)

REGISTERED = ("__rollout_seen", "__rollout_wave", "__rollout_taken_back", "__rollout_door", "__rollout_plan")


class ActionModule(ControllerAction):
    """Read how each host's waves have ended; no host is contacted."""

    ARGUMENTS = {"at": {"type": "str", "required": True, "choices": ["ending", "ended"]}}

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Before the last hosts are taken back, which; after it, how all of it has ended."""
        hosts = list(task_vars["ansible_play_batch"])
        seen = {host: dict(zip(REGISTERED, registered(task_vars, host, *REGISTERED))) for host in hosts}
        looks = {host: one["__rollout_seen"]["results"] for host, one in seen.items()}
        waves = {host: one["__rollout_wave"] for host, one in seen.items() if one["__rollout_wave"]}
        first = seen[hosts[0]]
        found = [side for host in hosts for side in _end.sides(looks[host], waves.get(host), host)]
        everybody = first["__rollout_door"]["variables"]["rollout_revert"] == "all"
        back = _end.to_revert(found, waves.values(), everybody)
        if arguments["at"] == "ending":
            return {"revert": back}
        found = _end.taken_back(found, self._results(back, {host: seen[host]["__rollout_taken_back"] for host in back}))
        refused = first["__rollout_plan"].get("refused", {})
        for host in task_vars["ansible_play_hosts_all"]:
            if host not in hosts:
                found.append(_end.gone(host, registered(task_vars, host, "__rollout_seen")[0], refused))
        stopped = next((wave for wave in waves.values() if wave.get("verdict") in ("roll_back", "inconclusive")), None)
        clients = task_vars["groups"].get("shadowsocks_clients", [])
        clients_left = bool(clients) and not set(clients) & set(hosts)
        amiss = {host: why for host, why in _end.amiss(found, stopped).items() if host in hosts}
        journal = first["__rollout_plan"]["journal"]
        name, advice = stopped["name"] if stopped else "", _end.advice(found, stopped, clients_left)
        event = {"hosts": [one._asdict() for one in found], "amiss": amiss, "stopped": name, "next": advice}
        self.keep(journal, {"step": "end", **event})
        self.notify(
            task_vars,
            "finished",
            f"stopped at {name}" if stopped else "finished",
            verdict=stopped["verdict"] if stopped else "",
            outcomes=_end.counts(found),
            reasons=[f"{host}: {why}" for host, why in amiss.items()],
            following=" ".join(advice),
        )
        return {"lines": [*_written.lines(journal), *_end.lines(found, stopped, clients_left)], "amiss": amiss}

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
