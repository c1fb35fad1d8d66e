# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _inventory, _lists
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _plan


class ActionModule(ActionBase):
    """Show the plan that follows from the looks at all hosts; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Read each host's __rollout_seen and give the plan."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {"hosts": {"type": "list", "elements": "str", "required": True}}
        )
        hostvars = task_vars["hostvars"]
        looks = {host: hostvars[host]["__rollout_seen"]["results"] for host in arguments["hosts"]}
        errors = _plan.errors(looks)
        if errors:
            raise AnsibleActionFail("Nothing was changed:\n" + "\n".join(errors))
        lines = _plan.lines(looks)
        for line in lines:
            Display().display(f"  {line}")
        lookup = _inventory.reader(hostvars, evaluation(self._loader))
        clients = sorted(task_vars["groups"].get("shadowsocks_clients", []), key=lambda name: name not in looks)
        servers = [host for host, sides in looks.items() if any(look["side"] == "server" for look in sides)]
        witnesses = _plan.witnesses(clients, lambda name: self._instances(name, lookup), servers)
        return {
            "changed": False,
            "hosts": arguments["hosts"],
            "plan": lines,
            "ask": _plan.questions(looks, task_vars["ansible_play_hosts_all"]),
            "senders": _plan.senders(looks),
            "witnesses": {host: witnesses.get(host, []) for host in arguments["hosts"]},
        }

    def _instances(self, name: str, lookup: _inventory.Lookup) -> t.Sequence[t.Any]:
        """The client's instances; none where they cannot be used: a host outside of the limit has not been checked."""
        own = lookup(name) or _inventory.Variables(name, {})
        try:
            raw = own.get("ss_client_instances", [])
            _fleet.side("client", own, raw, lookup)
            return _lists.entries(raw)
        except (_fleet.FleetError, _inventory.Unreadable) as error:
            self._display.warning(f"{name} is not asked how plain traffic fares: {error}")
            return []
