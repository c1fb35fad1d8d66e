# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of this collection that run on the controller alone have in common."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import plain
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._url import Receiver
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal, _metrics, _notify


class ControllerAction(ActionBase):
    """An action is its ARGUMENTS (an argument spec) and ``act``; no host is contacted.

    What is meant for people is returned as ``lines``, and ``details`` for those who ask for more: callbacks show them.
    """

    TRANSFERS_FILES = False
    ARGUMENTS: dict[str, t.Any] = {}
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Check the arguments, act."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(self.ARGUMENTS)
        return {"changed": False, **self.act(arguments, task_vars)}

    def keep(self, journal: str, event: dict[str, t.Any]) -> None:
        """Add to the journal, where there is one. Best effort: it never stands in front of a way back."""
        try:
            if journal:
                _journal.append(journal, event)
        except (OSError, TypeError, ValueError) as error:
            self._display.warning(f"The journal cannot be written: {error}; see rollout_report_dir")

    def notify(self, task_vars: dict[str, t.Any], event: str, text: str, **more: t.Any) -> None:
        """Tell rollout_notify_url, where there is one, see _notify.document; in check mode nothing. Best effort: it takes
        two seconds at most, and whatever comes of it, the run goes on. It is called where no host is stepped and not judged.
        """
        try:
            told = "" if self._task.check_mode else task_vars.get("rollout_notify_url", "")
            url = Receiver().read(self._templar.template(told)) if told else ""
            run = str(task_vars.get("__rollout_run", ""))
            failed = _notify.send(url, _notify.document(event, run, text, **more)) if url else ""
            where = f"{_notify.place(url)}: {failed}"
        except Exception as error:  # its text may hold the URL
            failed = where = type(error).__name__
        if failed:
            wave = f" of {more['wave']}" if more.get("wave") else ""
            self._display.warning(f"The notification {event}{wave} did not reach rollout_notify_url, {where}")

    def export_metrics(self, directory: str, told: t.Callable[[], _metrics.Metrics]) -> None:
        """Have the metrics of a run in ``rollout_textfile_directory``, '' for none. Best effort, as all that tells of a run."""
        if not directory or self._task.check_mode:
            return
        try:
            _metrics.write(directory, _metrics.render(told()))
        except Exception as error:  # whatever it is, no host waits for it
            why = getattr(error, "strerror", None) or f"{type(error).__name__} {error}"
            self._display.warning(f"The metrics cannot be written: {directory}: {why}; see rollout_textfile_directory")

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the task returns. Raises AnsibleActionFail."""
        raise NotImplementedError


def registered(task_vars: t.Mapping[str, t.Any], host: str, *names: str) -> list[t.Any]:
    """What tasks have registered for a host under these names, None for each that did not run there."""
    found = task_vars["hostvars"].raw_get(host)
    return [plain(found.get(name)) for name in names]
