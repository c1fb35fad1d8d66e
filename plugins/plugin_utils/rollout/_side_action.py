# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of tfo_host, tfo_service, tfo_stage and tfo_tunnel: instances become services before they start."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _packaged, _secrets
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover import _listed
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _inventory
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import whole_unit
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation


class SideAction(ActionBase):
    """Check and look up the task's instances, then run the module of the same name on the target."""

    TRANSFERS_FILES = False
    _supports_async = False
    LOCAL: tuple[str, ...] = ("instances",)
    """Options that stay on the controller."""
    ASKS_OTHERS = False
    """Whether a task that delegates and names no instances means those that the inventory has for the other host."""
    WITH_ABSENT = False
    """Whether the module wants to know which instances are to go."""
    WITH_ADOPTED = True
    """Whether services of somebody else are the module's business."""

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Run the module with ``services``, ``secrets``, ``absent`` and ``adopted`` in place of ``instances``."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        arguments = self.arguments()
        try:
            side = self._side(str(arguments.get("side", "client")), task_vars)
        except _fleet.FleetError as error:
            raise AnsibleActionFail(str(error)) from None
        arguments["services"], arguments["secrets"] = _secrets.part(side.services)
        if self.WITH_ABSENT:
            arguments["absent"] = side.absent
        if self.WITH_ADOPTED:
            arguments["adopted"] = side.adopted
        if self.WITH_ABSENT and arguments.get("packaged", True) and self._adopts_packaged(task_vars):
            arguments["packaged"] = False
        return self._execute_module(module_args=arguments, task_vars=task_vars)

    def arguments(self) -> dict[str, t.Any]:
        """What the module gets."""
        return {key: value for key, value in self._task.args.items() if key not in self.LOCAL}

    def _side(self, side: str, task_vars: dict[str, t.Any]) -> _fleet.Side:
        """The services of the host that the task works on, which is another one if it delegates."""
        lookup = _inventory.reader(task_vars["hostvars"], evaluation(self._loader))
        instances = _inventory.plain(self._task.args.get("instances"))
        other = self._task.delegate_to
        own = lookup(other) or _inventory.Variables(other, {}) if other else None
        if own is None:
            own = _inventory.Variables(task_vars["inventory_hostname"], task_vars, self._templar.template)
        if instances is None and other and self.ASKS_OTHERS:
            try:
                instances = own.get(f"ss_{side}_instances")
            except _inventory.Unreadable as error:
                raise _fleet.FleetError([f"{own.host}: ss_{side}_instances {error}"]) from None

        def servers() -> dict[str, str]:
            group = [lookup(name) for name in task_vars.get("groups", {}).get("shadowsocks_servers", ())]
            known = [one for one in group if one is not None]
            return _listed.fleet(known, {one.host: _listed.listed(one) for one in known}, {}).addresses()

        return _fleet.side(side, own, instances or [], lookup, self.gone(), servers)

    def _adopts_packaged(self, task_vars: dict[str, t.Any]) -> bool:
        """Whether the package's own server is adopted, on whichever side we are, or may be: then it stays."""
        own = _inventory.Variables(task_vars["inventory_hostname"], task_vars, self._templar.template)
        servers = _listed.of_side(own, "server")
        return servers is None or any(whole_unit(str(one.get("unit", ""))) == _packaged.UNIT for one in servers)

    def gone(self) -> bool:
        """Whether all instances are to go, whatever they say themselves."""
        return False
