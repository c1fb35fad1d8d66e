# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of tfo_host, tfo_stage and tfo_tunnel: instances become services before the module starts."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _inventory


class SideAction(ActionBase):
    """Check and look up the task's instances, then run the module of the same name on the target."""

    TRANSFERS_FILES = False
    _supports_async = False
    LOCAL: tuple[str, ...] = ("instances",)
    """Options that stay on the controller."""

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Run the module with ``services`` in place of ``instances``."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        arguments = self.arguments()
        instances = _inventory.plain(self._task.args.get("instances") or [])
        try:
            host = self._task.delegate_to or task_vars["inventory_hostname"]
            arguments["services"] = self._services(arguments.get("side", "client"), instances, host, task_vars)
        except _fleet.FleetError as error:
            raise AnsibleActionFail(str(error)) from error
        return self._execute_module(module_args=arguments, task_vars=task_vars)

    def arguments(self) -> dict[str, t.Any]:
        """What the module gets."""
        return {key: value for key, value in self._task.args.items() if key not in self.LOCAL}

    @staticmethod
    def _services(side: t.Any, instances: t.Any, host: str, task_vars: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        hostvars = task_vars["hostvars"]
        lookup = _inventory.reader(hostvars)
        own = lookup(host) or _fleet.Host(host, "")
        if side == "server":
            return _fleet.server_services(dataclasses.replace(own, server_instances=instances))
        return _fleet.client_services(dataclasses.replace(own, client_instances=instances), lookup)
