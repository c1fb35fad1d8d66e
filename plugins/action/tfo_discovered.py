# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover import (
    _files,
    _host,
    _instances,
    _listed,
    _told,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _inventory
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    ControllerAction,
    registered,
)

PROBED = "rollout_probe_url"
REGISTERED = "__rollout_discovered"
"""Where the playbook registers what tfo_discover returned for each host."""


class ActionModule(ControllerAction):
    """Write what adopts the services that were found on all hosts, and tell of it; no host is contacted."""

    ARGUMENTS = {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "folder": {"type": "path", "default": ""},
        "overwrite": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Match, name, write; in check mode only tell."""
        check, sources = self._task.check_mode, task_vars.get("ansible_inventory_sources") or []
        try:
            folder = _files.folder(arguments["folder"], sources)
        except _files.FilesError as error:
            raise AnsibleActionFail(str(error)) from None
        looks = {host: registered(task_vars, host, REGISTERED)[0] or {} for host in arguments["hosts"]}
        found = {host: look for host, look in looks.items() if "services" in look}
        groups, everyone = task_vars.get("groups", {}), self._everyone(task_vars, looks)
        listed = {host: _listed.listed(own) for host, own in everyone.items()}
        hosts = _decided(found, everyone, listed, groups, folder, arguments["overwrite"])
        changed = any(host.writes for host in hosts)
        if not check:
            _write(hosts)
        missing = _missing(hosts, groups)
        unread = "" if _files.is_read(folder, sources) else folder
        first = _told.first(hosts, missing, unread, {host for host, own in everyone.items() if PROBED in own})
        failed = [host.file.path for host in hosts if host.state == "failed"]
        return {
            "changed": changed,
            "diff": [_diff(host.file, host.after) for host in hosts if host.writes],
            "files": [{"host": h.name, "path": h.file.path, "state": h.state} for h in hosts if h.state != "nothing"],
            "lines": [
                *_told.table(hosts, check),
                *_told.ours(found),
                *_told.without_look({host: look for host, look in looks.items() if host not in found}),
                *_told.listening(found),
                *_told.by_hand(hosts),
                *_told.groups(missing),
                *_told.last(first, check and changed, any(row.name for host in hosts for row in host.rows)),
            ],
            "details": [line for h in hosts if h.lists for line in (f"{h.file.path}:", *_told.block(h.lists))],
            **({"failed": True, "msg": f"Cannot be written: {', '.join(failed)}"} if failed else {}),
        }

    def _everyone(self, task_vars: dict[str, t.Any], looks: t.Iterable[str]) -> dict[str, _inventory.Variables]:
        """All hosts of the inventory, whatever the limit: a client's server may be any of them."""
        lookup = _inventory.reader(task_vars["hostvars"], evaluation(self._loader))
        names = dict.fromkeys([*task_vars.get("groups", {}).get("all", ()), *looks])
        return {name: lookup(name) or _inventory.Variables(name, {}) for name in names}


def _decided(
    found: _listed.Found,
    everyone: t.Mapping[str, _inventory.Variables],
    listed: t.Mapping[str, _listed.Listed],
    groups: t.Mapping[str, t.Sequence[str]],
    folder: str,
    overwrite: bool,
) -> list[_host.Host]:
    """What is to become of each host that was looked at."""
    fleet = _listed.fleet(everyone.values(), listed, found)
    servers = _listed.servers(groups.get("shadowsocks_servers", ()), listed, found)
    hosts, reached = [], _instances.reached(found, fleet)
    for name, look in found.items():
        there = {side: lists or [] for side, lists in listed[name].items()}
        adopted = _instances.adopt(name, look, fleet, servers, there, reached.get(name, ()))
        file = _files.look(folder, name, C.YAML_FILENAME_EXTENSIONS)
        hosts.append(_host.decide(name, adopted, file, listed[name], overwrite))
    return hosts


def _diff(file: _files.File, after: str) -> dict[str, str]:
    return {"before_header": file.path, "before": file.before or "", "after_header": file.path, "after": after}


def _write(hosts: t.Iterable[_host.Host]) -> None:
    """One that cannot be written keeps no other from being written."""
    for host in hosts:
        if host.writes:
            try:
                _files.write(host.file.path, host.after)
            except OSError as error:
                host.state, host.why = "failed", str(error)


def _missing(hosts: t.Sequence[_host.Host], groups: t.Mapping[str, t.Sequence[str]]) -> dict[str, list[str]]:
    """Hosts with a service to adopt that are not in the group of its side."""
    found: dict[str, list[str]] = {}
    for group, side in (("shadowsocks_servers", "server"), ("shadowsocks_clients", "client")):
        for host in hosts:
            if host.name not in groups.get(group, ()) and any(row.name and row.side == side for row in host.rows):
                found.setdefault(group, []).append(host.name)
    return found
