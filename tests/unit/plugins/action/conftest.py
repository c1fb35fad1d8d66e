# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action plugin run as a task would, with its terminal."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.display import Display


class Hostvars(dict):
    """Ansible's hostvars: a mapping, and each host's variables as they were written."""

    def raw_get(self, host: str) -> dict[str, Any]:
        """The variables with their templates; none of a host that nothing was registered for."""
        return self.get(host, {})


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
        connection, play_context, shared_loader_obj = (mock.Mock() for _argument in range(3))
        loader = DataLoader()
        templar = Templar(loader=loader, variables=variables)
        action = plugin.ActionModule(task, connection, play_context, loader, templar, shared_loader_obj)
        try:
            return action.run(task_vars=variables)
        except AnsibleActionFail as error:
            assert error.__cause__ is None, "Ansible shows a cause behind the message, which says it already"
            raise


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run an action plugin with task variables and arguments."""
    return Run(monkeypatch)
