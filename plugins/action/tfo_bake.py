# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

LINES = 10
"""How many lines the countdown has at most."""
LEAST_SECONDS = 5
"""The shortest time between two of them."""


class ActionModule(ActionBase):
    """Wait while real traffic uses what was changed, with a countdown on the terminal."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Wait ``seconds``; in check mode not at all."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {"seconds": {"type": "float", "required": True}, "step": {"type": "str", "required": True}}
        )
        seconds = 0.0 if self._task.check_mode else max(0.0, arguments["seconds"])
        started = time.monotonic()
        ticks = max(1, min(LINES, int(seconds // LEAST_SECONDS)))
        for left in range(ticks, 0, -1):
            if seconds > 0:
                self._display.display(f"{arguments['step']}: baking, {seconds * left / ticks:.0f} s left")
            time.sleep(max(0.0, started + seconds * (ticks - left + 1) / ticks - time.monotonic()))
        return {"changed": False, "seconds": seconds}
