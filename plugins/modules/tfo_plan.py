#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_plan
short_description: Show the plan of a rollout
version_added: 0.1.0
description:
  - Reads what the role rollout saw of every host, refuses what cannot work, and shows what would be done.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  hosts:
    description: The inventory hosts.
    type: list
    elements: str
    required: true
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Show the plan
  fastopen.shadowsocks.tfo_plan:
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
"""

RETURN = r"""
hosts:
  description: The hosts of the plan.
  returned: success
  type: list
  elements: str
plan:
  description: One line a side of a host.
  returned: success
  type: list
  elements: str
witnesses:
  description: By server, the clients that shall witness its plain traffic.
  returned: success
  type: dict
senders:
  description: The clients whose kernel may send SYN data already, so that they can be measured before their step.
  returned: success
  type: list
  elements: str
ask:
  description: Servers outside of the limit that must be asked whether they accept, with C(server), C(targets), C(clients).
  returned: success
  type: list
  elements: dict
"""
