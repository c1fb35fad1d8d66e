# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _inventory
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _audit, _journal


class ActionModule(ActionBase):
    """Show and keep what the looks at all hosts say; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Print the table, write the JSON, and with ``strict`` fail on anything that is not ok."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "hosts": {"type": "list", "elements": "str", "required": True},
                "report_dir": {"type": "path", "required": True},
                "strict": {"type": "bool", "default": False},
            }
        )
        hostvars = task_vars["hostvars"]
        rows = _audit.rows(_inventory.plain({host: hostvars[host]["__rollout_seen"] for host in arguments["hosts"]}))
        for line in _audit.table(rows):
            Display().display(line)
        try:
            path = _journal.start(arguments["report_dir"], "audit", {"rows": rows})
        except OSError as error:
            raise AnsibleActionFail(f"rollout_report_dir: {error}") from error
        Display().display(f"Kept in {path}")
        wrong = _audit.wrong(rows)
        if wrong and arguments["strict"]:
            raise AnsibleActionFail(f"Not as intended: {', '.join(wrong)} (see the table above, and {path})")
        return {"changed": False, "rows": rows, "report": path}
