#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_guard
short_description: Let a host watch over its own TCP Fast Open
version_added: 0.1.0
description:
  - Serves the role C(tfo_guard); apply that one.
  - Installs the units C(fastopen-guard.timer) and C(fastopen-guard.service) and starts the timer. At each interval a few
    counters are compared. Where SYNs get lost, paired attempts, plain and with data in the SYN, are made to the servers of
    this host's own clients, and a client is taken off TCP Fast Open where they prove that its path loses SYNs with data
    while plain ones pass. Counters alone do nothing, and neither does an outage.
  - What the guard took off is skipped by rollouts until C(rollout_retry).
  - On servers, from which no path can be tried, it watches and names.
  - Units of somebody else at these names are never overwritten.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
attributes:
  check_mode:
    support: full
    description: Reports what would be written, started and removed.
  diff_mode:
    support: full
    description: The units, line by line.
  platform:
    support: full
    description: Linux with systemd, Python 3.9 or later.
    platforms: linux
options:
  state:
    description: V(absent) removes the guard with everything that it kept.
    type: str
    choices: [present, absent]
    default: present
  interval_seconds:
    description: From the end of one look to the next.
    type: int
    default: 30
  undo:
    description:
      - Whether the guard takes off what it has proven. With V(false) it only watches - it names such a path, and writes metrics.
    type: bool
    default: true
  return:
    description:
      - Whether the guard brings back what it took off. It does so after a hold time, O(hold_seconds) at first, which doubles
        up to a day, and only where attempts prove that all its paths carry SYNs with data again.
    type: bool
    default: false
  hold_seconds:
    description: The first hold time.
    type: int
    default: 3600
  textfile_directory:
    description:
      - The folder from which node_exporter reads textfiles; the guard writes C(fastopen.prom) there. Nothing is written while
        that folder does not exist. Left empty, no metrics are written.
    type: path
    default: ""
seealso:
  - module: fastopen.shadowsocks.tfo_stage
"""

EXAMPLES = r"""
- name: Watch over TCP Fast Open
  fastopen.shadowsocks.tfo_guard:
    textfile_directory: /var/lib/prometheus/node-exporter

- name: Stop watching
  fastopen.shadowsocks.tfo_guard:
    state: absent
"""

RETURN = r"""
differs:
  description: What was not as wanted, with C(what), C(name) and C(why).
  returned: success
  type: list
  elements: dict
  sample:
    - what: file
      name: /etc/systemd/system/fastopen-guard.timer
      why: is missing
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _units
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _lock, _program, _record, _stage
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "interval_seconds": {"type": "int", "default": 30},
            "undo": {"type": "bool", "default": True},
            "return": {"type": "bool", "default": False},
            "hold_seconds": {"type": "int", "default": 3600},
            "textfile_directory": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    present = params["state"] == "present"
    wanted = _units.Wanted(
        params["interval_seconds"],
        params["undo"],
        params["return"],
        params["hold_seconds"],
        params["textfile_directory"],
    )
    try:
        with contextlib.nullcontext() if module.check_mode else _lock.hold():
            planned = _units.plan(wanted if present else None)
            if present and not module.check_mode and _program.install(_cli.__name__):
                planned.note("file", _record.PROGRAM, "is another program")
            changed = bool(planned.differs)
            if changed and not module.check_mode:
                (_units.apply if present else _units.remove)(planned)
            if not present and not module.check_mode:
                _stage.sweep()
    except (*EXPECTED, _units.Refused) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, differs=planned.differs, diff=planned.diff())


if __name__ == "__main__":
    main()
