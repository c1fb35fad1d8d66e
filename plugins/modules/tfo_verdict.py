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
  - Each client's requests with Fast Open are compared with plain ones from the same client at the same time. The loss
    that is natural there is not assumed but comes from the plain requests.
  - Each path of a client is judged by itself, by what happened to its own connections to the server. A noisy origin
    behind the server is not the path's fault.
  - There are two looks. Make the first requests (20 of each kind and path), judge, make those that RV(measure) asks
    for, and judge both measurements together with O(last=true).
  - A client whose path is bad is named in RV(revert), and its wave goes on. The wave is rolled back when too many
    are, when the others are worse together, or when a server was restarted.
  - A client without data, or with a failed measurement, is never counted as passed.
options:
  stage:
    description:
      - The stage that was just entered.
      - With V(send) the hosts' requests with Fast Open are judged against their plain ones at the same time.
      - With V(accept) their servers were changed, and the hosts' plain requests are judged against O(before), beyond
        what clients of other servers saw meanwhile. Without any such client they are shown, not judged.
    type: str
    choices: [accept, send]
    default: send
  hosts:
    description:
      - Names of the clients to judge, also those that the first look has already decided.
    type: list
    elements: str
    required: true
  clients:
    description:
      - Results of M(fastopen.shadowsocks.tfo_tunnel) since the step by name of the client, or a list of them, which
        are added up.
      - Needed in each are C(plain) and C(fast_open), with C(ok), C(failed), C(ttfb_ms) (times of the answered
        requests) and C(counters) (their increase). Optional are C(exits) (how often the process ended by itself) and
        C(connections) (of each request whose connection was seen C(syn_data), whether its SYN data was taken,
        C(lost), how often its SYN or request was sent again, and C(rtt_ms)) in both.
      - With C(paths), a list, each of its entries holds both, and C(name) and C(server), and is judged by itself.
      - Optional beside them are C(restarts) (of the client's service since the step) and C(network) (a label).
      - Null, failed and unreachable results are no data.
      - With O(stage=accept), clients that are not in O(hosts) are the control.
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
        then, or a list of such results, which are added up.
      - A restart rolls back. The counters are shown, not judged, since strangers can raise them.
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
      - Share of requests that may fail with Fast Open beyond those that fail without it. Of lost SYNs none is
        tolerated.
    type: float
    default: 0.05
  max_slowdown_ms:
    description:
      - By how many milliseconds a request may reach the server and be answered later. Fast Open normally saves one
        round trip.
      - A promotion needs the upper limit of the interval to be within it, a reversion the lower one above it.
    type: float
    default: 20.0
  max_reverted_share:
    description:
      - Share of the hosts that may be reverted without rolling the wave back, counted with O(earlier). One client may
        always, if others are left.
    type: float
    default: 0.1
  earlier:
    description:
      - What earlier waves of the same run came to, how many clients were C(judged), and how many of them were C(bad),
        that is reverted or failed.
    type: dict
    default: {}
  last:
    description:
      - Whether this is the last look, so that nobody can be asked for more requests.
    type: bool
    default: false
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
      client1: "{{ hostvars['client1'].measured }}"
      client2: "{{ hostvars['client2'].measured }}"
    last: true
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
    - V(promote) goes on, V(roll_back) takes the whole step back, V(inconclusive) goes no further.
    - With a RV(measure) that is not empty it is V(inconclusive) and not final.
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
  description: How many more requests of each kind each client should make, on all paths together, before the last look.
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
    - Verdict (V(promote), V(revert) or V(inconclusive)), C(more), C(summary) (one line for people), C(reasons) (the
      same, then odds and limits) and C(figures) of each client. One that is V(inconclusive) at the last look is not
      proven
      either way, and is not counted as fine.
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
  description: What the hosts were compared with beside their own requests. Always 0 paths with O(stage=send).
  returned: success
  type: dict
  contains:
    paths:
      description: Number of paths of other clients that were measured before and after.
      returned: success
      type: int
lines:
  description: The verdict for people, a line a client.
  returned: success
  type: list
  elements: str
details:
  description: The same with odds, limits and counters.
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
