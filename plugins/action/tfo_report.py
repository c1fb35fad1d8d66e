# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _written
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import ControllerAction


class ActionModule(ControllerAction):
    """Render a journal as an HTML page; no host is contacted."""

    ARGUMENTS = {
        "journal": {"type": "path", "default": ""},
        "report_dir": {"type": "path", "default": ""},
        "page": {"type": "path", "default": ""},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The page and its journal; in check mode only which."""
        page = arguments["page"]
        try:
            journal = _journal.chosen(arguments["journal"], arguments["report_dir"], "report_journal")
            page = _written.page_of(_journal.read(journal), page)
            if not self._task.check_mode:
                _written.write(journal, page)
        except _journal.JournalError as error:
            raise AnsibleActionFail(str(error)) from None
        except OSError as error:
            raise AnsibleActionFail(f"report_page: {page}: {error.strerror}") from None
        return {"journal": journal, "page": page, "lines": [f"Report: {page}"]}
