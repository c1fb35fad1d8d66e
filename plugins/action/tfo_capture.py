# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._side_action import SideAction


class ActionModule(SideAction):
    """The module of this name, with its instances looked up on the controller."""
