# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Services of somebody else, of which only the TFO is ours."""

    DOCUMENTATION = r"""
options:
  adopted:
    description:
      - Services of somebody else that instances with C(unit) stand for. Everything else about them is read on the host, by
        their running process and its config, and no secret of it leaves the host.
      - Filled in on the controller from O(instances); do not set it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The instance of the inventory.
        type: str
        required: true
      unit:
        description: The systemd unit, an alias or its Id.
        type: str
        required: true
      port:
        description: Where any server program listens for TCP. Its config is never read, and bit 0x400 is its only way.
        type: int
      server_host:
        description: The inventory host that is a client's server.
        type: str
      server_hosts:
        description: The inventory host behind each address, where O(adopted[].server_host) does not say.
        type: dict
        default: {}
"""
