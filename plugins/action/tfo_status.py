# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import (
    _journal,
    _status,
    _status_lines,
    _watch,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import ControllerAction


def now() -> _status.Time:
    """The time in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


class ActionModule(ControllerAction):
    """Read the journal of a rollout, once or until the run ends; no host is contacted."""

    ARGUMENTS = {
        "report_dir": {"type": "path", "required": True},
        "journal": {"type": "path", "default": ""},
        "watch": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """How the run stands; what is new meanwhile goes to the terminal as it comes."""
        try:
            path = _journal.chosen(arguments["journal"], arguments["report_dir"], "status_journal")
            if arguments["watch"]:
                status = _watch.follow(path, self._display.display, now, time.sleep)
            else:
                _read, status = _watch.look(path, now)
        except _journal.JournalError as error:
            raise AnsibleActionFail(str(error)) from None
        except _status.StatusError as error:
            raise AnsibleActionFail(f"{path}: {error}") from None
        return {
            "journal": path,
            "status": dataclasses.asdict(status),
            "lines": [f"Journal: {path}", *_status_lines.lines(status, now())],
        }
