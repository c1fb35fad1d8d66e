# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_verdict
short_description: Judge a step of a TCP Fast Open rollout by paired measurements
version_added: 0.1.0
description:
  - Decides from measured requests whether a wave of clients keeps TCP Fast Open, or a batch of servers keeps
    accepting it.
  - Each client's requests with Fast Open are compared with plain ones from the same client at the same time. The
    loss that is natural there is not assumed but comes from the plain requests.
  - The decision is sequential. Start with no measurement, make the requests that RV(measure) asks for, judge all
    rounds together, and go on until RV(measure) is empty. A clear case needs 5 to 15 requests of each kind.
  - A client whose path is bad is named in RV(revert), and its wave goes on. The wave is rolled back when too many
    are, when the others are worse together, or when a server was restarted or refuses most of the SYN data.
  - A client without data, or with a failed measurement, is never counted as passed.
options:
  stage:
    description:
      - The stage that was just entered.
      - With V(send) the hosts' requests with Fast Open are judged against their plain ones, and their plain ones
        against O(before) where that is given.
      - With V(accept) their servers were changed, and the hosts' plain requests are judged against O(before).
    type: str
    choices: [accept, send]
    default: send
  hosts:
    description:
      - Names of the clients to judge, also those that an earlier round has already decided.
    type: list
    elements: str
    required: true
  clients:
    description:
      - Results of M(fastopen.shadowsocks.tfo_tunnel) since the step by name of the client, or a list of them, one
        a round.
      - Needed in each are C(plain) and C(fast_open), with C(ok), C(failed), C(ttfb_ms) (times of the answered
        requests) and C(counters) (their increase). Optional are C(exits) (how often the process ended by itself) in
        both, and C(restarts) (of the client's service since the step) and C(network) (a label) beside them.
      - Null, failed and unreachable results are no data.
      - Clients that are not in O(hosts) are the control for O(before).
    type: dict
    required: true
  before:
    description:
      - Results from before the step, in the form of O(clients). Only the plain requests are used.
    type: dict
    default: {}
  servers:
    description:
      - The servers that the hosts use, each with C(counters) (their increase since the step) and C(restarts) since
        then, or a list of such results with the increase in each round.
    type: dict
    default: {}
  confidence:
    description:
      - Confidence of a promotion. A client that loses a fifth of its SYNs with data is promoted with a probability of
        at most one minus this, and anything in a harmless wave is reverted with at most a fifth of that.
    type: float
    default: 0.95
  probe_requests:
    description:
      - The most requests of each kind and client.
    type: int
    default: 100
  max_error_share:
    description:
      - Share of requests that may fail or be late with Fast Open beyond those that fail or are late without it.
    type: float
    default: 0.01
  max_slowdown_ms:
    description:
      - By how many milliseconds the first byte may come later. Fast Open normally brings it one round trip earlier.
    type: float
    default: 20.0
  max_reverted_share:
    description:
      - Share of the hosts that may be reverted without rolling the wave back, counted with O(earlier). One client may always,
        if others are left.
    type: float
    default: 0.1
  earlier:
    description:
      - What earlier waves of the same run came to, how many clients were C(judged), and how many of them were C(bad), that is
        reverted or failed.
    type: dict
    default: {}
extends_documentation_fragment: [fastopen.shadowsocks._controller]
notes:
  - Runs on the controller and changes nothing. It does not fail for a verdict; the playbook acts on it.
  - The statistics and their sources are described in C(plugins/plugin_utils/judge/_evidence.py) and C(_interval.py).
seealso:
  - module: fastopen.shadowsocks.tfo_tunnel
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
"""

EXAMPLES = r"""
- name: Judge what was measured since the wave got Fast Open
  fastopen.shadowsocks.tfo_verdict:
    hosts: [client1, client2]
    clients:
      client1: "{{ hostvars['client1'].rounds | default([]) }}"
      client2: "{{ hostvars['client2'].rounds | default([]) }}"
    probe_requests: "{{ rollout_probe_requests | default(100) }}"
  register: step
  run_once: true

- name: Stop for a step that went wrong
  ansible.builtin.assert:
    that: step.verdict == 'promote'
    fail_msg: "{{ step.reasons | join('; ') }}"
"""

RETURN = r"""
verdict:
  description:
    - V(promote) goes on, V(roll_back) takes the whole step back, V(inconclusive) changes nothing more.
    - V(inconclusive) with a RV(measure) that is not empty asks for more requests; without, it is final.
  returned: success
  type: str
  sample: promote
reasons:
  description: What decided, in words.
  returned: success
  type: list
  elements: str
  sample: ["3 of 3 clients are fine"]
measure:
  description: How many more requests of each kind each client should make before the next look. Empty at the end.
  returned: success
  type: dict
  sample: {client1: 10}
more:
  description: The highest number in RV(measure), or 0.
  returned: success
  type: int
  sample: 10
revert:
  description: Clients to be reverted whatever the verdict is. Always empty with O(stage=accept).
  returned: success
  type: list
  elements: str
  sample: [client2]
hosts:
  description:
    - Verdict (V(promote), V(revert) or V(inconclusive)), C(more), C(reasons) and C(figures) of each client.
  returned: success
  type: dict
servers:
  description: The same of each server; here V(roll_back) takes the place of V(revert).
  returned: success
  type: dict
pooled:
  description: The same of all clients together that are not reverted.
  returned: success
  type: dict
control:
  description: How many clients outside the wave could be compared with before, and which of them are worse.
  returned: success
  type: dict
  contains:
    clients:
      description: Number of clients compared.
      returned: success
      type: int
    suffering:
      description: Names of those whose plain traffic is worse than before.
      returned: success
      type: list
      elements: str
coverage:
  description: What the judged clients can tell about access networks that were not among them.
  returned: success
  type: dict
  contains:
    networks:
      description: Number of distinct access networks; all clients without a label count as one.
      returned: success
      type: int
    labels:
      description: Their labels.
      returned: success
      type: list
      elements: str
    detectable_share:
      description:
        - A breakage that hits this share of all networks, or more, would have shown at least once with C(confidence).
      returned: success
      type: float
    confidence:
      description: The confidence used.
      returned: success
      type: float
  sample: {networks: 14, labels: [], detectable_share: 0.1926, confidence: 0.95}
"""
