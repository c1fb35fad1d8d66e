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
    packets what they do, and lists every difference to what the arguments ask for.
  - Changes nothing. M(fastopen.shadowsocks.tfo_stage) takes the same arguments and removes the differences.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._side
  - fastopen.shadowsocks._services
options:
  probe_paths:
    description:
      - For clients, try each path to a server with and without TFO. For servers, send a SYN with data to each own port.
    type: bool
    default: true
  earlier:
    description: What an earlier task of this module returned. RV(since) then says what happened in between.
    type: dict
attributes:
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Debian 12 or 13 with systemd, Python 3.9 or later.
    support: full
    platforms: debian
seealso:
  - module: fastopen.shadowsocks.tfo_stage
"""

EXAMPLES = r"""
- name: Compare a server with its instances
  fastopen.shadowsocks.tfo_host:
    side: server
    instances: "{{ ss_server_instances }}"
    fast_open: true
    kernel:
      accept: true
      send: true
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
fastopen:
  description: The host's TCP Fast Open, as M(fastopen.shadowsocks.tfo_probe) returns it.
  returned: success
  type: dict
package:
  description:
    - C(name), C(version) (null where it is not installed), C(binary), C(knows_fast_open) and
      C(packaged_unit), the load state of the package's own server.
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
differs:
  description: Everything that is not as wanted, with C(what), C(name) and C(why).
  returned: success
  type: list
  elements: dict
  sample:
    - what: file
      name: /etc/systemd/system/ss-server@.service
      why: has other content
reasons:
  description: Why the paths do not carry TFO; empty when they do.
  returned: success
  type: list
  elements: str
stage:
  description:
    - C(intended) (the last stage that this side was brought to), C(actual) (what really runs), C(confirmed) (proven,
      with the same arguments as now) and C(snapshot) (whether one is kept).
  returned: success
  type: dict
since:
  description:
    - With O(earlier), the C(counters) that rose since then, and C(restarts), automatic ones and services that do not run
      any more.
  returned: with O(earlier)
  type: dict
done:
  description: Whether this side is proven in what the arguments ask for, so that there is nothing to do.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _look, _request
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_request.SPEC,
            "probe_paths": {"type": "bool", "default": True},
            "earlier": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    try:
        seen = _look.look(_request.build(module.params), module.params["probe_paths"])
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **seen)


if __name__ == "__main__":
    main()
