# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_fleet
short_description: Check every variable of a host before it is touched
version_added: 0.1.0
description:
  - Serves the roles and playbooks of this collection. Checks all variables that a role or playbook reads, type, range, form
    and relations, in whatever form they come (YAML, INI, extra variables, a survey's text, a vault), and gives them typed.
  - Also names unknown keys of instances, and variables whose names are a slip away from one of this collection.
  - No host is contacted. Every mistake is named, not only the first, and never with a secret. C(docs/variables.md) lists what
    is allowed.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  used_by:
    description: The role or playbook whose variables are checked.
    type: str
    required: true
    choices:
      - tcp_fastopen
      - shadowsocks
      - ss_server
      - ss_client
      - tfo_guard
      - deploy
      - rollout
      - rollback
      - discover
      - audit
      - capture
      - status
      - report
  refuse:
    description: Whether the task fails with what is wrong on its host. Otherwise it returns that as RV(errors).
    type: bool
    default: true
  hosts:
    description:
      - The hosts that were checked before, each registered as C(__rollout_door). The task then fails with what is wrong on any
        of them, and with decisions of the run about which they disagree.
    type: list
    elements: str
  machines:
    description:
      - By host which machine it is, as M(fastopen.shadowsocks.tfo_service) returns it. The task then fails where two hosts are
        names of one machine.
    type: dict
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Check what role ss_server is told on this host
  fastopen.shadowsocks.tfo_fleet:
    used_by: ss_server
  any_errors_fatal: true
"""

RETURN = r"""
variables:
  description: The values that are no secrets and no instances, typed and with their defaults, by name.
  returned: without O(hosts) and O(machines)
  type: dict
errors:
  description: What is wrong, a line each with host, variable, value and remedy.
  returned: without O(hosts) and O(machines)
  type: list
  elements: str
"""
