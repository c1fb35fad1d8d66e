# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _inventory
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal


class ActionModule(ActionBase):
    """Begin the journal of a run on the controller, or add to it, as things happen."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Write; in check mode write nothing."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "report_dir": {"type": "path"},
                "path": {"type": "path"},
                "event": {"type": "dict", "required": True},
            },
            mutually_exclusive=[["report_dir", "path"]],
            required_one_of=[["report_dir", "path"]],
        )
        path, event = arguments["path"], _inventory.plain(arguments["event"])
        if not self._task.check_mode:
            begins = not path
            try:
                path = path or _journal.start(arguments["report_dir"], "rollout", {})
                _journal.append(path, event)
            except (OSError, ValueError) as error:
                said = f"The journal cannot be written: {error}; see rollout_report_dir"
                if begins:  # nothing has changed yet; later it must not stand in front of a revert
                    raise AnsibleActionFail(said) from error
                self._display.warning(said)
        return {"changed": False, "path": path or ""}
