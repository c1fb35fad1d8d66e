# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import plain
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._side_action import SideAction
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._since import since


class ActionModule(SideAction):
    """The module of this name, with its instances looked up, and what happened since an earlier look."""

    LOCAL = ("instances", "earlier")
    ASKS_OTHERS = True
    WITH_ABSENT = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Look at the host; with ``earlier``, say what happened in between."""
        earlier = plain(self._task.args.get("earlier") or {})
        result = super().run(tmp, task_vars)
        if "fastopen" in earlier and "fastopen" in result:
            result["since"] = since(earlier, result)
        return result
