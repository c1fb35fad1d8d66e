# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    ControllerAction,
    registered,
)

REGISTERED = ("__rollout_seen", "__rollout_wave", "__rollout_reverted", "__rollout_door", "__rollout_plan")


class ActionModule(ControllerAction):
    """Read how each host's waves have ended; no host is contacted."""

    ARGUMENTS = {"at": {"type": "str", "required": True, "choices": ["ending", "ended"]}}

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Before the last clients are taken back, whom; after it, how all of it has ended."""
        hosts = list(task_vars["ansible_play_batch"])
        seen = {host: dict(zip(REGISTERED, registered(task_vars, host, *REGISTERED))) for host in hosts}
        looks = {host: one["__rollout_seen"]["results"] for host, one in seen.items()}
        waves = {host: one["__rollout_wave"] for host, one in seen.items() if one["__rollout_wave"]}
        first = seen[hosts[0]]
        if arguments["at"] == "ending":
            everybody = first["__rollout_door"]["variables"]["rollout_revert"] == "all"
            return {"revert": _end.to_revert(looks, waves) if everybody else []}
        found = [side for host in hosts for side in _end.sides(looks[host], waves.get(host), host)]
        back = _end.to_revert(looks, waves)
        results = {host: seen[host]["__rollout_reverted"] for host in back}
        found = _end.taken_back(found, results)
        gone = [host for host in task_vars["ansible_play_hosts_all"] if host not in hosts]
        found += [_end.Side(host, "", "refused", "left the run before its waves, see above") for host in gone]
        stopped = next((wave for wave in waves.values() if wave.get("verdict") in ("roll_back", "inconclusive")), None)
        clients = task_vars["groups"].get("shadowsocks_clients", [])
        lines = _end.lines(found, stopped, bool(clients) and not set(clients) & set(hosts))
        amiss = {host: why for host, why in _end.amiss(found, stopped).items() if host in hosts}
        journal = first["__rollout_plan"]["journal"]
        self.keep(journal, {"step": "end", "hosts": [one._asdict() for one in found], "amiss": amiss})
        return {"lines": lines, "amiss": amiss}
