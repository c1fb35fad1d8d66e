# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_stage
short_description: Bring the services of one side of a host under TCP Fast Open, or back to plain
version_added: 0.1.0
description:
  - Serves the playbooks and the roles of this collection. It owns three things on a host and touches nothing else. These
    are the bits 0x1, 0x2 and 0x400 of C(net.ipv4.tcp_fastopen), that key's line in O(sysctl_file), and one drop-in a
    service, C(UNIT.d/zz-fastopen.conf), which repeats the service's own ExecStart with C(--fast-open) behind it.
  - A step lives in /run and in the running kernel only, so a reboot undoes it. A timer on the host, the lease, undoes it
    as well unless it is confirmed or renewed in time; it runs a program of this module's own code,
    C(/usr/local/lib/fastopen/fastopen), which can also be asked C(status) and C(off) at a console.
  - The order up is lease, kernel, drop-in, restart, proof by real packets. Down it is drop-in, restart, proof that plain
    traffic passes, kernel. A call that was killed at any point can be repeated.
  - Services that cannot have such a drop-in, and clients whose paths do not carry TFO, are skipped with the reason.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._side
  - fastopen.shadowsocks._services
  - fastopen.shadowsocks._adopted
options:
  state:
    description:
      - V(present) steps, proves and confirms in one; what is not proven comes down again at once.
      - V(claimed) makes O(run) the one that may step on this host, V(released) lets it go.
      - V(stepped) brings the services under TFO until the lease ends, V(confirmed) makes that last.
      - V(plain) takes TFO off whatever is under it on this side. It needs no O(instances); with them, it proves that they
        are plain even where nothing of ours is on them. Another run than O(run) that holds the host ends there.
      - V(killed) is the kill switch. Bit 0x2 is off at run time and at boot, without a restart, and nothing of this
        collection sets it until V(lifted).
    type: str
    choices: [present, claimed, stepped, confirmed, plain, released, killed, lifted]
    default: present
  run:
    description:
      - The name of the rollout that asks. Steps are refused while another run holds the host.
      - Left out, V(present) has a claim of its own for the time of the call.
    type: str
  who:
    description: Whom the claim is shown to belong to. Filled in on the controller with its user and host.
    type: str
  lease_seconds:
    description: For how long the host waits for the next call of O(run) before it undoes what is not confirmed.
    type: float
    default: 600
  take_over:
    description: A run whose claim O(run) takes over, with its step.
    type: str
    default: ""
  retry:
    description: Step also where the services were taken off by a rollout, an operator or the guard before.
    type: bool
    default: false
  why:
    description: Why the services come down, for those who find them so.
    type: str
    default: ""
  memory:
    description:
      - With V(add), services that come down are left alone by later runs until O(retry); V(forget) forgets all of this
        side that were, V(keep) leaves that as it is.
    type: str
    choices: [add, keep, forget]
    default: keep
  yield_to_claim:
    description:
      - With V(plain) and V(killed), leave the host as it is where another run than O(run) holds it, RV(outcome=refused), in place
        of ending that run there.
    type: bool
    default: false
  probe_url:
    description:
      - An http URL that must answer through each ss-local, and through a server of shadowsocks-rust with the flag, which
        would run on while every connection fails.
    type: str
    default: ""
  planned_servers:
    description:
      - Inventory hosts that this run brings to accept SYN data before this client. In check mode they have not changed yet,
        so a path to them that has no benefit now is not held against the client.
    type: list
    elements: str
    default: []
attributes:
  diff_mode:
    description: Shows the bits and, of a drop-in, only the flag; what it repeats may hold a password.
    support: full
  platform:
    description: Linux with systemd 247 or later, Python 3.9 or later.
    support: full
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_host
  - module: fastopen.shadowsocks.tfo_service
  - module: fastopen.shadowsocks.tfo_sysctl
"""

EXAMPLES = r"""
- name: Let the servers of this host accept SYN data
  fastopen.shadowsocks.tfo_stage:
    side: server
    instances: "{{ ss_server_instances }}"

- name: Take TCP Fast Open off the clients of this host
  fastopen.shadowsocks.tfo_stage:
    side: client
    state: plain
"""

RETURN = r"""
outcome:
  description:
    - V(stepped) (proven, and waits for its confirmation), V(confirmed), V(plain) (proven so), V(reverted) (was under TFO and
      is plain now), V(skipped) (not eligible, as it was), V(refused) (nothing was changed, the operator must act first),
      V(failed) (what it runs now is not proven), V(claimed), V(released), V(killed), V(lifted), or V(planned) in check mode.
  returned: success
  type: str
reasons:
  description: Why it is skipped, refused or failed, and what could not be done besides.
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
counters:
  description: By how much the kernel's counters rose during those requests.
  returned: success
  type: dict
"""

import dataclasses
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _hangup
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _request, _stage
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_request.SPEC,
            "state": {"type": "str", "choices": list(_stage.STATES), "default": "present"},
            "run": {"type": "str"},
            "who": {"type": "str"},
            "lease_seconds": {"type": "float", "default": 600.0},
            "take_over": {"type": "str", "default": ""},
            "retry": {"type": "bool", "default": False},
            "why": {"type": "str", "default": ""},
            "memory": {"type": "str", "choices": ["add", "keep", "forget"], "default": "keep"},
            "yield_to_claim": {"type": "bool", "default": False},
            "probe_url": {"type": "str", "default": ""},
            "planned_servers": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["state"] in ("claimed", "stepped", "confirmed", "released") and not params["run"]:
        module.fail_json(msg=f"state {params['state']} belongs to a run: name it in run, or use state: present")
    if params["state"] == "present" and not params["run"]:
        params["run"] = f"role-{time.time_ns():x}"
    _hangup.ignore()
    try:
        result = _stage.run(params["state"], _request.build(params), module.check_mode)
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(**dataclasses.asdict(result))


if __name__ == "__main__":
    main()
