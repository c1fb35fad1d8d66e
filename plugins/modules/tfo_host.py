# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_host
short_description: Look at one side of a host and compare it with what is wanted
version_added: 0.1.0
description:
  - Reads kernel, boot files, package, config files, units and processes of a host in one round trip, probes with real
    packets what they do, and lists every difference of the deployed services to O(instances).
  - Says under what TFO each service is and what a step of M(fastopen.shadowsocks.tfo_stage) would do. Changes nothing.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._side
  - fastopen.shadowsocks._services
  - fastopen.shadowsocks._adopted
  - fastopen.shadowsocks._deployment
options:
  probe_paths:
    description:
      - For clients, try each path to a server with and without TFO. For servers, send a SYN with data to each own port.
    type: bool
    default: true
  implementation:
    description: What runs the services of this host.
    type: str
    choices: [libev, rust]
    default: libev
  package:
    description: The package that holds the programs. Left out, it is V(shadowsocks-libev) or V(shadowsocks-rust).
    type: str
  planned_servers:
    description: Servers that will accept SYN data by the time of the step. A path to them without benefit is no reason yet.
    type: list
    elements: str
    default: []
  run:
    description: The rollout that asks. The claim of another one is a reason against a step.
    type: str
    default: ""
  take_over:
    description: A run whose claim would be taken over.
    type: str
    default: ""
  retry:
    description: Whether services that were taken off before would be tried again.
    type: bool
    default: false
attributes:
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Linux with systemd 247 or later, Python 3.9 or later.
    support: full
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_stage
"""

EXAMPLES = r"""
- name: Compare a server with its instances
  fastopen.shadowsocks.tfo_host:
    side: server
    instances: "{{ ss_server_instances }}"
  register: seen

- name: Name what differs
  ansible.builtin.debug:
    var: seen.differs
"""

RETURN = r"""
side:
  description: The side that was looked at.
  returned: success
  type: str
machine:
  description: The same text for the same machine, whatever its name in the inventory; it is another one after each boot.
  returned: success
  type: str
fastopen:
  description: The host's TCP Fast Open, as M(fastopen.shadowsocks.tfo_probe) returns it.
  returned: success
  type: dict
cookie_keys:
  description:
    - With O(run) a name for each cookie key that the kernel has, its own first, then its backup. The same key has the same
      name on every host, and another one in another run. Empty where there is no key yet.
  returned: success
  type: list
  elements: str
uptime_seconds:
  description:
    - For how long the counters in RV(fastopen) count, as far as known. It is the time since boot, or since the start of the
      first process where that of a container is younger. Null where the kernel does not say.
  returned: success
  type: int
listeners:
  description:
    - With C(fast_open_mode=listener) every TCP listener of the network namespace but the services' own, with C(address),
      C(port), C(program) and C(unit). Each of them accepts data in SYNs from its next start on.
  returned: success
  type: list
  elements: dict
package:
  description:
    - C(name), C(version) (null where it is not installed), C(binary), C(knows_fast_open) and
      C(packaged_unit), the load state of the package's own server, and C(touched), why that is somebody's service by now.
  returned: success
  type: dict
services:
  description: One entry a service with C(unit), C(state), C(enabled), C(restarts), and C(fast_open) of its process.
  returned: success
  type: list
  elements: dict
paths:
  description: The probed paths, as M(fastopen.shadowsocks.tfo_path) returns them, a client's with C(server_hosts).
  returned: success
  type: list
  elements: dict
deployed:
  description: V(yes), V(differs) (see RV(differs)), or V(no) where none of this side's services was deployed yet.
  returned: success
  type: str
differs:
  description: Everything about the deployed services that is not as wanted, with C(what), C(name) and C(why).
  returned: success
  type: list
  elements: dict
  sample:
    - what: file
      name: /etc/systemd/system/ss-server@.service
      why: has other content
foreign:
  description: What a deployment would run into and somebody else wrote, a line each. A rollout refuses such a host.
  returned: success
  type: list
  elements: str
own_fast_open:
  description: Adopted units that have fast_open by their owner's config or arguments, which no rollout can undo.
  returned: success
  type: list
  elements: str
left:
  description: Units that were deployed, that nobody lists any more, and that stay.
  returned: success
  type: list
  elements: str
step:
  description:
    - What M(fastopen.shadowsocks.tfo_stage) would return with C(state=stepped) in check mode, its C(outcome) and C(differs).
      C(planned) where nothing is deployed yet.
  returned: success
  type: dict
reasons:
  description: Why a step would be skipped or refused, or what is not proven of a stage that is confirmed.
  returned: success
  type: list
  elements: str
stage:
  description:
    - C(intended) (off, or what was confirmed, also where the guard or a lease took that off since; of servers off while the kill
      switch is on), C(actual) (what really
      runs), C(state) (plain, stepped, confirmed, undone, or unknown for a drop-in of ours that nobody keeps), C(problems)
      with our drop-ins, C(undone) (by unit, by whom, when,
      why), C(guard) (what it last saw and did, null where there is none), C(claim) (the run that holds the host) and C(kill_switch).
  returned: success
  type: dict
done:
  description: Whether this side is confirmed and as it should be, all of its paths too, so that there is nothing to do.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _look, _request
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_request.SPEC,
            **{
                name: _deploy.SPEC[name]
                for name in ("limit_nofile", "absent", "prune", "packaged", "by_apt", "archive")
            },
            "implementation": _service.SERVICE_SPEC["implementation"],
            "package": {"type": "str"},
            "probe_paths": {"type": "bool", "default": True},
            "planned_servers": {"type": "list", "elements": "str", "default": []},
            "run": {"type": "str", "default": ""},
            "take_over": {"type": "str", "default": ""},
            "retry": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        implementation = _implementations.BY_NAME[params["implementation"]]
        package = params["package"] or implementation.package
        request, wanted = _request.build(params), _deploy.build(params)
        found = _look.look(request, wanted, package, params["probe_paths"], implementation)
    except (*_deploy.EXPECTED, *EXPECTED) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
