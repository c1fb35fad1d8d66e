# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _written
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _audit, _journal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    ControllerAction,
    registered,
)


class ActionModule(ControllerAction):
    """Keep what the looks at all hosts say, and give it as a table; no host is contacted."""

    ARGUMENTS = {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "report_dir": {"type": "path", "required": True},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The table as lines, the JSON written, and who is not as intended."""
        seen = {host: registered(task_vars, host, "__rollout_seen")[0] for host in arguments["hosts"]}
        rows = _audit.rows({host: one or {"msg": _audit.GONE} for host, one in seen.items()})
        try:
            path = _journal.start(arguments["report_dir"], "audit", {"rows": rows})
        except OSError as error:
            raise AnsibleActionFail(f"rollout_report_dir: {error}") from None
        return {
            "rows": rows,
            "report": path,
            "lines": [*_audit.table(rows), f"Kept in {path}", *_written.lines(path)],
            "wrong": _audit.wrong(rows),
        }
