# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils import _gate


class ActionModule(ActionBase):
    """Judge a wave by its hosts' __rollout_stage; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Collect the results of the wave, show them, and return the verdict."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "side": {"type": "str", "required": True},
                "step": {"type": "str", "required": True},
                "hosts": {"type": "list", "elements": "str", "required": True},
            }
        )
        hostvars = task_vars["hostvars"]
        results = {
            host: hostvars[host]["__rollout_stage"]
            for host in arguments["hosts"]
            if not self._done(hostvars[host], arguments["side"])
        }
        judgement = _gate.judge(arguments["step"], results, check=self._task.check_mode)
        Display().display(judgement.msg)
        return {"changed": False, **judgement._asdict()}

    @staticmethod
    def _done(variables: t.Any, side: str) -> bool:
        return any(look["done"] for look in variables["__rollout_seen"]["results"] if look["side"] == side)
