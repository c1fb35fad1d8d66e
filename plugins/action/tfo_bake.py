# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import ControllerAction


class ActionModule(ControllerAction):
    """Wait while real traffic uses what was changed."""

    ARGUMENTS = {"seconds": {"type": "float", "required": True}}

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Wait ``seconds``; in check mode not at all."""
        seconds = 0.0 if self._task.check_mode else max(0.0, arguments["seconds"])
        time.sleep(seconds)
        return {"seconds": seconds}
