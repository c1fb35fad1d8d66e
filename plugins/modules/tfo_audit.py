#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_audit
short_description: Compare and keep the state of a fleet
version_added: 0.1.0
description:
  - Compares the intended with the real stage of every host that was looked at, gives a table, and writes
    a JSON report with an HTML page beside it.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  hosts:
    description: The inventory hosts.
    type: list
    elements: str
    required: true
  report_dir:
    description: The folder on the controller that keeps the reports. It is made where it is missing.
    type: path
    required: true
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Compare and keep the state of the fleet
  fastopen.shadowsocks.tfo_audit:
    hosts: "{{ ansible_play_hosts_all }}"
    report_dir: rollout-reports
  run_once: true
"""

RETURN = r"""
rows:
  description: One entry a side of a host, with C(state), C(intended), C(actual), C(drift), C(problems) and C(paths).
  returned: success
  type: list
  elements: dict
report:
  description: The path of the JSON report.
  returned: success
  type: str
wrong:
  description: The hosts that are not as intended, or have a problem of severity error.
  returned: success
  type: list
  elements: str
lines:
  description: The table for people.
  returned: success
  type: list
  elements: str
"""
