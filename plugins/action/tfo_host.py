# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _inventory
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._side_action import SideAction


class ActionModule(SideAction):
    """The module of this name, with its instances looked up on the controller.

    With ``told`` the options are the host's variables of these roles. A task's template is compiled again for every
    host, and a rollout looks at all of them: read from here, its dozen of options costs nothing.
    """

    LOCAL = ("instances", "told")
    ASKS_OTHERS = True
    WITH_ABSENT = True

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
