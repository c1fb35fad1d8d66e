#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_plan
short_description: Plan the waves of a rollout
version_added: 0.1.0
description:
  - Serves the role rollout only. It reads what that role saw of every host, refuses what cannot work, cuts the waves, and
    begins the journal of the run.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  hosts:
    description: The inventory hosts.
    type: list
    elements: str
    required: true
  run:
    description: The name of the run.
    type: str
    required: true
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Plan the waves
  fastopen.shadowsocks.tfo_plan:
    hosts: "{{ ansible_play_hosts }}"
    run: "{{ __rollout_run }}"
  register: __rollout_plan
  run_once: true
"""

RETURN = r"""
hosts:
  description: The hosts of the plan.
  returned: success
  type: list
  elements: str
refused:
  description: By host that is left out of the plan, because it may not be stepped as it is, why.
  returned: success
  type: dict
lines:
  description: The plan for people, the journal's path first.
  returned: success
  type: list
  elements: str
run:
  description: The name of the run.
  returned: success
  type: str
started:
  description: When it was planned, ISO 8601.
  returned: success
  type: str
journal:
  description: The path of the journal; empty in check mode.
  returned: success
  type: str
ask:
  description: By host which servers outside of the limit it asks whether they accept, with C(server), C(targets), C(clients).
  returned: success
  type: dict
batches:
  description: How many servers are in each batch.
  returned: success
  type: list
  elements: int
in_order:
  description: These servers, where some of them share an address and are in one batch for that; else empty.
  returned: success
  type: list
  elements: str
passed:
  description:
    - Each C(side) of a C(host) that no wave has, because it is in its stage already or cannot get there, is refused, or has
      left the run.
  returned: success
  type: list
  elements: dict
busy:
  description: Hosts of which a side is in a wave, or which ask a server. The others have nothing to do.
  returned: success
  type: list
  elements: str
undeployed:
  description: Hosts that are to be deployed first, plain.
  returned: success
  type: list
  elements: str
canary_done:
  description: Whether a canary was promoted by an earlier run.
  returned: success
  type: bool
canary_expected:
  description: Whether the run has canaries, none of them promoted before, also where they are refused or have left it.
  returned: success
  type: bool
witnesses:
  description: By server the clients that tell how its plain traffic fares.
  returned: success
  type: dict
provers:
  description: By server without such a client another C(host) of the run, and the C(targets) at which that finds it.
  returned: success
  type: dict
lease_seconds:
  description: For how long a host waits for the next call of the run before it undoes a step.
  returned: success
  type: float
"""
