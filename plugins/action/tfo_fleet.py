# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _door, _inventory, _variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _refusals
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import ControllerAction

ROLE_SIDES = {"ss_server": ("server",), "ss_client": ("client",)}
REGISTERED = "__rollout_door"
"""Where the playbooks register what this action returned for each host."""


class ActionModule(ControllerAction):
    """Check the variables of a host on the controller; no host is contacted."""

    ARGUMENTS = {
        "used_by": {"type": "str", "required": True, "choices": list(_variables.USED)},
        "refuse": {"type": "bool", "default": True},
        "hosts": {"type": "list", "elements": "str"},
        "machines": {"type": "dict"},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Check this host, or with ``hosts`` gather what was found on all of them, or compare ``machines``; refuse it."""
        if arguments["machines"] is not None:
            self._refuse(_refusals.twins(arguments["machines"]))
            return {}
        if arguments["hosts"] is not None:
            self._gather(arguments["used_by"], arguments["hosts"], task_vars)
            return {}
        report = self._check(arguments["used_by"], task_vars)
        for warning in report.warnings:
            self._display.warning(warning)
        if arguments["refuse"]:
            self._refuse(report.errors)
        return {"variables": report.variables, "errors": report.errors}

    def _gather(self, used_by: str, hosts: list[str], task_vars: dict[str, t.Any]) -> None:
        """Refuse all hosts for what speaks against any of them, and for what does not go together."""
        reports = {host: self._report(host, one) for host, one in self._found(used_by, hosts, task_vars).items()}
        if used_by == "rollback":
            self._leave_to_hosts(reports.values())
        groups = task_vars.get("groups", {})
        scopes = [report.variables.get("rollback_scope") for report in reports.values()]
        wrong = _door.group_errors(groups) + _door.scope_errors(scopes, hosts, groups)
        lookup = _inventory.reader(task_vars["hostvars"], evaluation(self._loader))
        secrets = _door.secret_errors(used_by, reports, lookup)
        self._refuse(wrong + _door.gathered(used_by, reports) + secrets)

    @staticmethod
    def _found(used_by: str, hosts: list[str], task_vars: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        """What was registered for each host that counts.

        One that was lost in an earlier play of somebody else's was never at this door, and keeps nobody out. From going back
        nobody is kept either by one that could not even be checked, which is told of, or that a condition leaves out.
        """
        here = task_vars.get("ansible_play_hosts", hosts)
        known = {host: _inventory.plain(task_vars["hostvars"][host].get(REGISTERED)) for host in hosts}
        found = {host: one or {} for host, one in known.items() if one is not None or host in here}
        if used_by != "rollback":
            return found
        return {host: one for host, one in found.items() if not (one.get("failed") or one.get("skipped"))}

    def _check(self, used_by: str, task_vars: dict[str, t.Any]) -> _door.Report:
        own = _inventory.Variables(task_vars["inventory_hostname"], task_vars, self._templar.template)
        lookup = _inventory.reader(task_vars["hostvars"], evaluation(self._loader))
        groups = task_vars.get("group_names", [])
        sides = [side for side in ("server", "client") if f"shadowsocks_{side}s" in groups]
        return _door.check(used_by, own, lookup, ROLE_SIDES.get(used_by, sides))

    def _leave_to_hosts(self, reports: t.Iterable[_door.Report]) -> None:
        """What is wrong with a variable of one host fails that host where it needs it, and keeps no other from going back."""
        for report in reports:
            own = _door.own_errors("rollback", report.errors)
            for error in own:
                self._display.warning(error)
            report.errors = [error for error in report.errors if error not in own]

    @staticmethod
    def _report(host: str, found: dict[str, t.Any]) -> _door.Report:
        """What was registered for a host, or why it was not checked: a variable of its connection is undefined, say."""
        if "variables" in found:
            return _door.Report(found["variables"], found["errors"])
        started = _refusals.LEFT_OUT if found.get("skipped") else "start the playbook at its first task, without --tags"
        why = str(found.get("msg") or started)
        return _door.Report(errors=[f"{host}: its variables were not checked: {' '.join(why.split())}"])

    @staticmethod
    def _refuse(errors: list[str]) -> None:
        if errors:
            raise AnsibleActionFail("The inventory needs mending; no host was changed:\n" + "\n".join(errors))
