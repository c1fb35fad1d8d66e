# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that are run as tasks would, see _rollouts."""

from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import run

__all__ = ["run"]
