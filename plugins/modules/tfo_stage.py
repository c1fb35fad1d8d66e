# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_stage
short_description: Bring one side of a host to a stage of TCP Fast Open, or back
version_added: 0.1.0
description:
  - Writes configs, access lists and units of the services, brings the kernel along, restarts what runs older than what
    it reads, and proves the result with real packets, all in one transaction on the host.
  - Going up the order is snapshot, kernel, proof, config, restart, proof. Going down, with O(state=plain) or
    O(state=restored), it is config, restart, proof, kernel. O(fast_open=false) leaves the kernel alone.
  - A client whose paths do not carry TFO is left as it is, and RV(reasons) says why.
  - A run that was killed at any point can be started again. What really runs is compared, not only files.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._side
  - fastopen.shadowsocks._services
options:
  state:
    description:
      - V(present) brings the side to what the other options say.
      - V(snapshot) only keeps the side as it is now, if no snapshot is kept yet.
      - V(confirmed) keeps that the stage was judged since, so that a later run passes this host. It changes nothing else.
      - V(plain) takes TCP Fast Open away from the services as they are, proves that plain traffic passes, and puts the
        kernel back to its snapshot. It needs no O(instances).
      - V(restored) puts files, units and kernel back to the snapshot, and drops it once plain traffic passes and a package
        that was not there before is gone.
    type: str
    choices: [present, snapshot, confirmed, plain, restored]
    default: present
  confirm:
    description:
      - Whether the proof of this task is all that the stage needs. If not, a later task with O(state=confirmed) says so,
        and a run that is killed before it does the step again.
    type: bool
    default: true
  planned_servers:
    description:
      - Inventory hosts that this run brings to accept SYN data before this client. In check mode they have not changed yet,
        so a path to them that has no benefit now is not held against the client.
    type: list
    elements: str
    default: []
attributes:
  diff_mode:
    description: Shows files, kernel settings and the stage; secrets are left out.
    support: full
  platform:
    description: Debian 12 or 13 with systemd, Python 3.9 or later.
    support: full
    platforms: debian
seealso:
  - module: fastopen.shadowsocks.tfo_host
  - module: fastopen.shadowsocks.tfo_sysctl
"""

EXAMPLES = r"""
- name: Let the servers of this host accept SYN data
  fastopen.shadowsocks.tfo_stage:
    side: server
    instances: "{{ ss_server_instances }}"
    fast_open: true
    kernel:
      accept: true
      send: true

- name: Put the client back as it was found
  fastopen.shadowsocks.tfo_stage:
    side: client
    state: restored
"""

RETURN = r"""
outcome:
  description:
    - V(proven), or V(unproven) with RV(reasons); V(left) for a client whose paths do not carry TFO, or a server that
      carries no TCP itself, V(reverted) for such a client that had TFO on; V(planned) in check mode; V(kept) where there
      was nothing to prove.
  returned: success
  type: str
reasons:
  description: Why the side is not proven, or was left.
  returned: success
  type: list
  elements: str
differs:
  description: What was not as wanted, with C(what), C(name) and C(why).
  returned: success
  type: list
  elements: dict
paths:
  description: The probed paths, as M(fastopen.shadowsocks.tfo_path) returns them.
  returned: success
  type: list
  elements: dict
tunnels:
  description: Requests through each ss-local after the change, with C(name), C(ok) and C(ttfb_ms).
  returned: success
  type: list
  elements: dict
package:
  description: V(absent) after O(state=restored) where the package had not been installed at the time of the snapshot.
  returned: success
  type: str
counters:
  description: By how much the kernel's counters rose during those requests.
  returned: success
  type: dict
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _request, _stage
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED

STATES = {
    "present": _stage.converge,
    "snapshot": _stage.keep,
    "confirmed": _stage.confirm,
    "plain": _down.plain,
    "restored": _down.restore,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_request.SPEC,
            "state": {"type": "str", "choices": list(STATES), "default": "present"},
            "confirm": {"type": "bool", "default": True},
            "planned_servers": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        result = STATES[module.params["state"]](_request.build(module.params), module.check_mode)
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(**dataclasses.asdict(result))


if __name__ == "__main__":
    main()
