#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_gate
short_description: Judge a batch of servers or a wave of clients
version_added: 0.1.0
description:
  - Reads what each host's step came to and says whether the rollout goes on, takes the wave back, or stops.
  - A wave in which nobody is eligible is passed over, V(promote) with nobody stepped. Where no canary is left the run stops.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  side:
    description: Which side of the hosts was changed.
    type: str
    required: true
  step:
    description: The step's name, for people.
    type: str
    required: true
  hosts:
    description: The inventory hosts.
    type: list
    elements: str
    required: true
  before:
    description: What M(fastopen.shadowsocks.tfo_verdict) returned before the step.
    type: dict
    default: {}
  after:
    description: What it returned after the step; empty where nobody could measure. Left out right after the step.
    type: dict
  servers:
    description: What happened on each server since the step, C(counters) and C(restarts); empty where it is not known.
    type: dict
    default: {}
  max_unreachable_share:
    description: The share of the hosts that may get lost since their step; one host may always.
    type: float
    default: 0.1
  max_reverted_share:
    description:
      - The share of the clients judged so far in this run that may be reverted or failed; one may always. More take the wave
        back. A server that fails takes its batch back.
    type: float
    default: 0.1
  final:
    description: Whether nothing is measured after this.
    type: bool
    default: false
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Judge the wave
  fastopen.shadowsocks.tfo_gate:
    side: client
    step: canary
    hosts: "{{ ansible_play_batch }}"
  run_once: true
"""

RETURN = r"""
verdict:
  description: V(promote) goes on, V(roll_back) takes the wave back, V(inconclusive) takes it back undecided and stops.
  returned: success
  type: str
hosts:
  description: Each host's C(outcome) and C(reasons).
  returned: success
  type: dict
stepped:
  description: The hosts that are under TFO now.
  returned: success
  type: list
  elements: str
revert:
  description: The hosts that must leave it, whatever the verdict is.
  returned: success
  type: list
  elements: str
servers:
  description: The servers that the stepped hosts use, or are.
  returned: success
  type: list
  elements: str
side:
  description: The given side.
  returned: success
  type: str
earlier:
  description: How many clients were C(judged) in earlier waves of this run, and how many of them were C(bad).
  returned: success
  type: dict
msg:
  description: The same for people.
  returned: success
  type: str
"""
