# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout
type: stdout
short_description: Shows a rollout as a short report
version_added: 0.1.0
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
description:
  - Shows what the tasks of this collection say for people, in RV(fastopen.shadowsocks.tfo_wave#module:lines) and the like,
    and whom something failed for. Whatever else went well shows nothing, apart from messages of M(ansible.builtin.debug).
  - Trouble that a task ignores is not shown. In the waves of a rollout the lines of the wave tell of it.
  - Of any other playbook it shows a heading a play, what changed, what failed, and the recap.
  - With C(-v) it shows task names, details, ignored trouble and the recap too. With C(-vv) and more it is the callback
    P(ansible.builtin.default#callback), whose options about hosts, results and markers hold from there on.
  - Of a rollout that is interrupted after its plan the last line names the playbook that tells how it stands.
  - While a step bakes, a terminal shows how many seconds are left, unless E(CI) is set or E(TERM) is V(dumb).
extends_documentation_fragment: [ansible.builtin.default_callback, ansible.builtin.result_format_callback]
requirements: [set as stdout callback in the configuration]
"""

import atexit
import functools
import os
import sys
import typing as t

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._countdown import Countdown, can_redraw
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._shown import (
    STATUS,
    addressed,
    as_text,
    short_name,
    visible,
)

if t.TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult


def reported(method: t.Callable[..., None]) -> t.Callable[..., None]:
    """An event of the report: it ends a countdown, and with -vv and more ``default`` has it instead."""

    @functools.wraps(method)
    def event(self: CallbackModule, *arguments: t.Any, **options: t.Any) -> None:
        if self._countdown:
            self._countdown.stop()
        if self._display.verbosity > 1:
            return getattr(super(CallbackModule, self), method.__name__)(*arguments, **options)
        return method(self, *arguments, **options)

    return event


class CallbackModule(DefaultCallback):
    """Lines of this collection as they come, failures by message at the end of their task, and next to nothing else."""

    CALLBACK_NAME = "fastopen.shadowsocks.rollout"

    def __init__(self) -> None:
        super().__init__()
        self._countdown = Countdown(sys.stdout) if can_redraw(sys.stdout, os.environ) else None
        self._bake_seconds = 0.0
        self._rollout = False
        self._lines: set[str] = set()
        self._heading = ""
        self._task_names: dict[str, str] = {}
        self._failures: dict[tuple[str, str], list[str]] = {}
        self._begun = False
        atexit.register(self._show_interruption)  # an interrupted run ends without any event

    @reported
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Its heading waits for what it is the heading of."""
        self._show_failures()
        self._show_heading()
        self._play = play
        self._heading = play.get_name().strip()

    @reported
    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Name it with -v; a bake begins to count down."""
        self._show_failures()
        self._task_names[task._uuid] = task.get_name().strip()  # only now is it templated
        if self._display.verbosity:
            self._show(f"TASK [{self._name(task)}]", C.COLOR_DEBUG)
        if self._countdown and self._bake_seconds and short_name(task) == "tfo_bake":
            self._countdown.start(self._bake_seconds)

    @reported
    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        """Likewise."""
        self.v2_playbook_on_task_start(task, False)

    @reported
    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """What it says, and outside of a rollout that it changed something."""
        if not (result.task.loop and "results" in result.result):
            self.v2_runner_item_on_ok(result)
        if result.is_changed() and not self._rollout:
            self._show(f"{self.host_label(result)}: changed: {self._name(result.task)}", C.COLOR_CHANGED)

    @reported
    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """What it says; that something changed is told of all items at once. Lines are not said twice."""
        self._tell(result)
        said = result.result.get("msg")
        told = bool(said) and isinstance(said, list) and self._lines.issuperset(map(str, said))
        if short_name(result.task) == "debug" and not told:
            self._clean_results(result.result, result.task.action)
            self._show(addressed([self.host_label(result)], self._message(result)))

    @reported
    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """Nothing but its warnings."""
        self._handle_warnings(result.result)

    @reported
    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        """Nothing but its warnings."""
        self._handle_warnings(result.result)

    @reported
    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """Why; of a loop the items have told."""
        self._tell(result)
        if not (result.task.loop and result.result.get("results")):
            self._fail(result, "", ignore_errors)

    @reported
    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        """Why, and which item."""
        self._tell(result)
        lost = result.is_unreachable()
        item = f"(item={self._get_item_label(result.result)}) {'unreachable: ' if lost else ''}"
        self._fail(result, item, result.task.ignore_unreachable if lost else result.task.ignore_errors)

    @reported
    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Why."""
        self._tell(result)
        self._fail(result, "unreachable: ", result.task.ignore_unreachable, C.COLOR_UNREACHABLE)

    @reported
    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        """With -v only."""
        if self._display.verbosity:
            super().v2_runner_retry(result)

    @reported
    def v2_runner_on_async_poll(self, result: CallbackTaskResult) -> None:
        """Nothing."""

    @reported
    def v2_runner_on_async_ok(self, result: CallbackTaskResult) -> None:
        """Nothing."""

    @reported
    def v2_runner_on_async_failed(self, result: CallbackTaskResult) -> None:
        """Nothing: the task fails as well."""

    @reported
    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        """As `default` has it, below one line that says whose it is."""
        text = self._get_diff(result.result.get("diff") or []) if result.is_changed() else ""
        if text:
            self._show(f"{self.host_label(result)}: {self._name(result.task)}")
            self._display.display(text)  # it has colours

    @reported
    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        """Nothing."""

    @reported
    def v2_playbook_on_no_hosts_matched(self) -> None:
        """In a rollout nothing: there is nobody left for this wave."""
        if not self._rollout:
            self._show("no hosts matched", C.COLOR_SKIP)

    @reported
    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Nothing: the failures say it."""

    @reported
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """The recap, where no lines have said it better."""
        self._begun = False
        self._show_failures()
        self._show_heading()
        if self._display.verbosity or not self._lines:
            super().v2_playbook_on_stats(stats)

    def _name(self, task: t.Any) -> str:
        return self._task_names.get(task._uuid) or task.get_name().strip()

    def _tell(self, result: CallbackTaskResult) -> None:
        """What a result says to people, and what later events need of it."""
        self._handle_warnings(result.result)
        found, name = result.result, short_name(result.task)
        if name.startswith("tfo_"):
            ended = name == "tfo_end" and bool(found.get("lines"))  # plays that follow are somebody else's
            self._rollout = (self._rollout or name == "tfo_plan") and not ended
            self._begun = (self._begun or bool(name == "tfo_plan" and found.get("journal"))) and not ended
            self._bake_seconds = found.get("bake_seconds", self._bake_seconds)
            if found.get("lines"):
                self._heading = ""
                self._lines.update(map(str, found["lines"]))
                self._show(as_text(found["lines"]))
            if found.get("details") and self._display.verbosity:
                self._show(as_text(found["details"]), C.COLOR_DEBUG)

    def _message(self, result: CallbackTaskResult) -> str:
        """The result's message. One that says no more than that a command failed comes with what the command said."""
        found = result.result
        text = as_text(found.get("msg") or found.get("censored") or self._dump_results(found))
        if "non-zero return code" in text:  # ansible-core 2.21 has more words around it than 2.19
            text += "\n" + as_text(found.get("stderr") or found.get("stdout") or "")
        return text

    def _fail(self, result: CallbackTaskResult, what: str, ignored: t.Any, color: str = C.COLOR_ERROR) -> None:
        """Keep it for the end of the task: hosts that fail alike are named together."""
        host, text = self.host_label(result), what + self._message(result)
        if not ignored:
            if self.get_option("show_task_path_on_failure"):
                text += f"\ntask path: {result.task.get_path()}"
            self._failures.setdefault((text, color), []).append(host)
        elif self._display.verbosity:
            self._show(addressed([host], f"ignored: {' '.join(text.split())}"), C.COLOR_SKIP)

    def _show_failures(self) -> None:
        failures, self._failures = self._failures, {}
        for (text, color), hosts in failures.items():
            self._show(addressed(hosts, text), color, stderr=self.get_option("display_failed_stderr"))

    def _show_interruption(self) -> None:
        """What is known of it, and where a journal has no end for it, who tells how the run stands."""
        self._show_failures()
        if self._begun:
            self._show(f"The run was interrupted. How it stands, and what is next: {STATUS}")

    def _show_heading(self) -> None:
        heading, self._heading = self._heading, ""
        if heading and not self._rollout:
            self._display.display(heading, color=C.COLOR_HIGHLIGHT)

    def _show(self, text: str, color: t.Optional[str] = None, stderr: bool = False) -> None:
        self._show_heading()
        self._display.display(visible(text), color=color, stderr=stderr)
