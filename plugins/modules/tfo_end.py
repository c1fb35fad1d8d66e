#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_end
short_description: Say how a rollout has ended
version_added: 0.1.0
description:
  - Serves the role rollout only. It reads how the waves of all hosts have ended.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  at:
    description:
      - Before the waves, whether servers outside of the limit were V(asked), the hosts V(held), and those on which nothing ran
        V(deployed); after the waves, whether hosts may have to be taken back still, V(ending), or all of it has V(ended).
    type: str
    required: true
    choices: [asked, held, deployed, ending, ended]
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: See how the run has ended
  fastopen.shadowsocks.tfo_end:
    at: ended
  register: __rollout_end
  run_once: true
"""

RETURN = r"""
revert:
  description:
    - By host what is taken back, each with C(side), C(why) and C(memory) as M(fastopen.shadowsocks.tfo_stage) has them. These
      are hosts that were lost since their step, and all clients where a wave was rolled back and C(rollout_revert) is C(all).
  returned: at V(ending)
  type: dict
amiss:
  description: By host what keeps it from being promoted, or skipped for a reason; before the waves, from being taken along.
  returned: at all moments but V(ending)
  type: dict
out:
  description: The hosts of the plan that no wave is to have. They could not be deployed, or do not answer any more.
  returned: at V(deployed), where the run goes on
  type: list
  elements: str
batches:
  description: How many servers are left in each batch, where some of them share an address.
  returned: at V(deployed), where the run goes on
  type: list
  elements: int
lines:
  description: The end of the run for people, with the next command.
  returned: at V(ended), and where the run ends before its waves
  type: list
  elements: str
"""
