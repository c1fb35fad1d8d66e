# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _process
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._side_action import SideAction


class ActionModule(SideAction):
    """The module of this name, with its instances looked up, and who asks, on the controller."""

    def arguments(self) -> dict[str, t.Any]:
        """The task's arguments, with ``who``."""
        return {"who": _process.who(), **super().arguments()}
