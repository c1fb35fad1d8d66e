#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_wave
short_description: Decide about a batch of servers or a wave of clients
version_added: 0.1.0
description:
  - Serves the role rollout only. It reads what the tasks of that role have registered for the hosts of the batch, decides,
    keeps the journal as well as it can be kept, and says what each host does next.
  - Too many bad hosts take the wave back and stop the run; hosts that get lost since their step, or stay undecided, stop it
    as well. Too many are more than one and more than the share of all that were judged in this run. Of servers none may be
    bad. A canary in which nobody is promoted stops the run, any other wave like that is passed over.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  at:
    description: What the hosts of the wave have just done.
    type: str
    required: true
    choices: [begin, measured, stepped, judged, judged_again, closed]
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Begin a wave
  fastopen.shadowsocks.tfo_wave:
    at: begin
  register: __rollout_wave
  run_once: true
"""

RETURN = r"""
verdict:
  description: V(promote), V(roll_back) or V(inconclusive); empty while nothing is decided.
  returned: success
  type: str
why:
  description: What decided.
  returned: success
  type: list
  elements: str
stop:
  description: Whether nothing new is started after this wave.
  returned: success
  type: bool
hosts:
  description: Each host's C(outcome) and C(reasons), and its figure in words, C(said).
  returned: success
  type: dict
ask:
  description: By host whom it asks for requests, with C(host), C(servers), C(arms), C(requests) and C(running).
  returned: success
  type: dict
watch:
  description: By host at which servers it looks.
  returned: success
  type: dict
prove:
  description: Which C(host) sends SYNs with data to which C(targets) of C(servers) that no client can tell of.
  returned: success
  type: list
  elements: dict
confirm:
  description: The hosts whose step is made to last.
  returned: success
  type: list
  elements: str
revert:
  description: The hosts that are taken back.
  returned: success
  type: list
  elements: str
remember:
  description: Those of them whose path was bad, or whose step was not proven, so that later runs leave them alone.
  returned: success
  type: list
  elements: str
lines:
  description: The same for people, as far as it is new.
  returned: success
  type: list
  elements: str
report:
  description: All lines of the wave so far.
  returned: success
  type: list
  elements: str
details:
  description: Every reason of every host, with odds and counters, once the wave has ended.
  returned: success
  type: list
  elements: str
"""
