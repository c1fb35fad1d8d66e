# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action plugin run as a task would, with its terminal."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from ansible.utils.display import Display


class Run:
    """Calls ``plugin(...).run``; ``shown`` is what the terminal got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[str] = []
        monkeypatch.setattr(Display, "display", lambda _self, msg, *_args, **_options: self.shown.append(msg))

    def __call__(
        self,
        plugin: Any,
        variables: dict[str, Any],
        check_mode: bool = False,
        delegate_to: str | None = None,
        **arguments: Any,
    ) -> Any:
        task = mock.Mock(args=arguments, async_val=0, check_mode=check_mode, diff=False, delegate_to=delegate_to)
        others = [mock.Mock() for _argument in range(5)]
        return plugin.ActionModule(task, *others).run(task_vars=variables)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run an action plugin with task variables and arguments."""
    return Run(monkeypatch)
