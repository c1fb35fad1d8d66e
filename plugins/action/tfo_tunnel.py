# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import plain
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._side_action import SideAction

NOT_KEPT = ("rounds", "changed", "invocation", "failed", "deprecations", "warnings", "exception")


class ActionModule(SideAction):
    """The module of this name, with its instances looked up, and the rounds so far before its own."""

    LOCAL = ("instances", "earlier")
    ASKS_OTHERS = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Measure one round; with no requests, give back what there is."""
        earlier = plain(self._task.args.get("earlier") or {})
        rounds = list(earlier.get("rounds", []))
        if int(self._task.args.get("requests", 10)) == 0:
            return {**earlier, "changed": False, "rounds": rounds}
        result = super().run(tmp, task_vars)
        if not result.get("failed"):
            rounds.append({key: value for key, value in result.items() if key not in NOT_KEPT})
        result["rounds"] = rounds
        return result
