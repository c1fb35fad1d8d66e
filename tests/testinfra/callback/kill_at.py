# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills ansible-playbook, with all of its processes, as soon as its n-th play or task begins; see _killed.py.

KILL_AT is the number (0: none), KILL_NAMES the file that gets the name of each that has begun. With KILL_STOP it stops
itself at each, until somebody lets it go on.
"""

from __future__ import annotations

import os
import signal
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Counts what begins, before anything of it reaches a host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_at"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0

    def _begin(self, name: str) -> None:
        self.begun += 1
        with open(os.environ["KILL_NAMES"], "a", encoding="utf-8") as stream:
            stream.write(f"{name}\n")
        if self.begun == int(os.environ["KILL_AT"]):
            os.killpg(os.getpgid(0), signal.SIGKILL)
        if os.environ.get("KILL_STOP"):
            os.kill(os.getpid(), signal.SIGSTOP)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """A play, and each batch of one."""
        self._begin(f"PLAY {play.get_name()}")

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """A task."""
        self._begin(f"TASK {task.get_name()}")

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        """A handler."""
        self._begin(f"HANDLER {task.get_name()}")
