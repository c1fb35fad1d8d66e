# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """An action that runs on the controller alone and changes no host."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Works in check mode, and tells what the real run would.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: It runs on the controller.
    support: full
    platforms: all
  action:
    description: All of it happens in an action plugin.
    support: full
"""
