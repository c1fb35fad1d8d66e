#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_status
short_description: Read how a rollout stands
version_added: 0.1.0
description:
  - Serves the playbook C(fastopen.shadowsocks.status). It reads the journal of a rollout, one that is going on or has ended.
  - Runs on the controller; no host is contacted, and nothing is written.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  report_dir:
    description: The folder of the journals, of which the newest one of a rollout is read.
    type: path
    required: true
  journal:
    description: The journal; empty for the newest one in O(report_dir).
    type: path
    default: ""
  watch:
    description:
      - Whether to follow the run, with a line on the terminal for each change, until it ends. One that does not go on is
        left, too, when its process on this machine is gone or nothing was written for longer than the lease of its hosts.
    type: bool
    default: false
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Read how the last rollout stands
  fastopen.shadowsocks.tfo_status:
    report_dir: rollout-reports
"""

RETURN = r"""
journal:
  description: The path of the journal.
  returned: success
  type: str
status:
  description: How the run stands. Times are ISO 8601 in UTC.
  returned: success
  type: dict
  contains:
    run:
      description: The name of the run.
      type: str
    who:
      description: Who began it, V(USER@MACHINE).
      type: str
    process:
      description: Its process, by boot, namespace and id.
      type: str
    limit:
      description: What its C(--limit) was; empty where it had none.
      type: str
    started:
      description: When it began.
      type: str
    written:
      description: When something was written last.
      type: str
    lacks:
      description: What cannot be read of the journal; empty where all of it can.
      type: str
    steps:
      description: How many steps the plan has.
      type: int
    step:
      description: The number of the present step, or the last one; V(0) before the first.
      type: int
    wave:
      description: Its batch of servers or wave of clients.
      type: str
    side:
      description: V(server) or V(client).
      type: str
    verdict:
      description: Its verdict; empty while nothing is decided.
      type: str
    why:
      description: What decided.
      type: list
      elements: str
    outcomes:
      description: The hosts of all steps by outcome; also C(stepped), C(under way), C(to come) and C(no step).
      type: dict
    wave_outcomes:
      description: Likewise those of the present step.
      type: dict
    waits:
      description: What the run waits for; empty where it has ended.
      type: str
    since:
      description: Since when.
      type: str
    until:
      description: When a bake ends; empty for anything else.
      type: str
    died:
      description:
        - How a run that does not go on has died, V(gone) where its process on this machine is, V(silent) where nothing was
          written for longer than the lease of its hosts; else empty.
      type: str
    ended:
      description: Whether the run has ended.
      type: bool
    stopped:
      description: The step at which it stopped, if it did.
      type: str
    amiss:
      description: By host what keeps it from being promoted, or skipped for a reason.
      type: dict
    next:
      description: What is worth knowing at its end, and the next command.
      type: list
      elements: str
lines:
  description: The same for people.
  returned: success
  type: list
  elements: str
"""
