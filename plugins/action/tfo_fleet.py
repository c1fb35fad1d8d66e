# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _inventory

PLUGIN = "behind a plugin TCP Fast Open covers only the loopback hop to it, not the path to the other side"


def _probe_url_errors(url: str) -> list[str]:
    if not url:
        return ["rollout_probe_url is not set: give an http URL that must answer through every client"]
    try:
        _tunnel.split(url)
    except _tunnel.TunnelError as error:
        return [str(error)]
    return []


class ActionModule(ActionBase):
    """Check the variables of hosts on the controller; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Fail with every mistake, one line each."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "hosts": {"type": "list", "elements": "str"},
                "server_instances": {"type": "raw"},
                "client_instances": {"type": "raw"},
                "probe_url": {"type": "str"},
            },
            mutually_exclusive=[["hosts", "server_instances"], ["hosts", "client_instances"]],
        )
        lookup = _inventory.reader(task_vars["hostvars"])
        names = arguments["hosts"] or [task_vars["inventory_hostname"]]
        given = {
            key: _inventory.plain(arguments[key]) or []
            for key in ("server_instances", "client_instances")
            if arguments[key] is not None
        }
        hosts, errors = [], []
        for name in names:
            try:
                host = lookup(name)
            except _fleet.FleetError as error:
                errors += error.errors
                continue
            if host is None:
                errors.append(f"{name} is no inventory host")
                continue
            hosts.append(dataclasses.replace(host, **given))
        errors += _fleet.validate(hosts, lookup)
        if arguments["probe_url"] is not None and any(host.client_instances for host in hosts):
            errors += _probe_url_errors(arguments["probe_url"])
        if errors:
            raise AnsibleActionFail("The inventory needs mending; no host was changed:\n" + "\n".join(errors))
        for host in hosts:
            for instance in (*host.server_instances, *host.client_instances):
                if instance.get("plugin"):
                    self._display.warning(f"{host.name}: {instance['name']}: {PLUGIN}")
        return {"changed": False, "hosts": names}
