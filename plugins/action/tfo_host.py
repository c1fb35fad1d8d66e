# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _inventory
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _refusals
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import registered
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._side_action import SideAction


class ActionModule(SideAction):
    """The module of this name, with its instances looked up on the controller.

    With ``told`` the options are the host's variables of these roles. A task's template is compiled again for every
    host, and a rollout looks at all of them: read from here, its dozen of options costs nothing.
    """

    LOCAL = ("instances", "told")
    ASKS_OTHERS = True
    WITH_ABSENT = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """As any side action; but not where a condition leaves out the first host of the play, on which it does what is done once
        for all: a table, a plan."""
        for first in (task_vars or {}).get("ansible_play_hosts", [])[:1]:
            (door,) = registered(task_vars or {}, first, "__rollout_door")
            if door and door.get("skipped"):
                raise AnsibleActionFail(f"{first}: {_refusals.LEFT_OUT}")
        return super().run(tmp, task_vars)

    def arguments(self) -> dict[str, t.Any]:
        """The task's arguments, and where it has ``told`` those that follow from it."""
        told, side = _inventory.plain(self._task.args.get("told")) or {}, self._task.args.get("side")
        return {**(_wanted(told, str(side)) if told else {}), **super().arguments()}


def _wanted(told: t.Mapping[str, t.Any], side: str) -> dict[str, t.Any]:
    """What this side of a host is to become, by the variables that the door has let in."""
    wanted = {
        "fast_open_mode": told["ss_server_fast_open_mode"] if side == "server" else "flag",
        "limit_nofile": told[f"ss_{side}_limit_nofile"],
        "prune": told[f"ss_{side}_prune"],
        "implementation": told["shadowsocks_implementation"],
        "package": told["shadowsocks_package"],
        "archive": told["shadowsocks_archive_checksum"] if told["shadowsocks_install"] == "archive" else None,
        "packaged": told["shadowsocks_install"] != "none",
        "by_apt": told["shadowsocks_install"] == "package",
        "sysctl_file": told["tcp_fastopen_sysctl_file"],
        "take_over": told.get("rollout_take_over", ""),
        "retry": told.get("rollout_retry", False),
    }
    return {key: value for key, value in wanted.items() if value is not None}
