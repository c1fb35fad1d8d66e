# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_fleet
short_description: Check the Shadowsocks variables of hosts before any of them is touched
version_added: 0.1.0
description:
  - Checks C(ss_server_instances) and C(ss_client_instances) of hosts on the controller, unknown keys, methods, passwords,
    ports, two services on one port, and clients whose server or instance does not exist.
  - No host is contacted. Every mistake is named, not only the first.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  hosts:
    description: The inventory hosts to check by their inventory variables.
    type: list
    elements: str
  server_instances:
    description: Instances to check instead of the host's own C(ss_server_instances), for use in a role.
    type: raw
  client_instances:
    description: Instances to check instead of the host's own C(ss_client_instances), for use in a role.
    type: raw
  probe_url:
    description: The C(rollout_probe_url), which must be an http URL if any of the hosts has client instances.
    type: str
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Check the whole fleet
  fastopen.shadowsocks.tfo_fleet:
    hosts: "{{ groups['shadowsocks_servers'] + groups['shadowsocks_clients'] }}"
  run_once: true
"""

RETURN = r"""
hosts:
  description: The hosts that were checked.
  returned: success
  type: list
  elements: str
"""
