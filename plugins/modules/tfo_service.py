# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_service
short_description: Run the Shadowsocks services of one side of a host
version_added: 0.1.0
description:
  - Serves the roles C(ss_server) and C(ss_client), which also install the package; apply those.
  - Writes configs, access lists and systemd units, starts the services now and at boot, and restarts what runs older than
    the files that it reads. Where a service does not come up, files are put back and what ran before runs again.
  - Touches only what it wrote itself, by the mark in its units and by its record C(/var/lib/fastopen.shadowsocks/deployed.json). Whatever
    else is in the way is named, units, configs, a used server of the package, processes on a wanted port, and nothing changes.
  - An instance that is no longer listed stays, unless it is listed with C(state=absent), or O(prune) is set.
  - TCP Fast Open is the business of M(fastopen.shadowsocks.tfo_stage). Its drop-ins follow what changes below them, and go
    with their instance. A client that is under it and gets another server goes there without it, unless its SYN data is seen
    to be accepted there.
  - A run that was killed at any point can be started again. What really runs is compared, not only files.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._services
  - fastopen.shadowsocks._deployment
options:
  side:
    description: Which side of the host is meant. A host may have both.
    type: str
    required: true
    choices: [server, client]
  state:
    description: With V(absent) all listed instances are stopped and removed.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows files line by line, without their secrets, and what happens to services.
    support: full
  platform:
    description: Linux with systemd 247 or later, Python 3.9 or later.
    support: full
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_stage
"""

EXAMPLES = r"""
- name: Run a server
  fastopen.shadowsocks.tfo_service:
    side: server
    instances:
      - {name: main, port: 8388, method: aes-256-gcm, password: "{{ vault_ss_password }}"}

- name: Stop and remove one client
  fastopen.shadowsocks.tfo_service:
    side: client
    instances:
      - {name: old, state: absent}

- name: Stop and remove every client that was deployed
  fastopen.shadowsocks.tfo_service:
    side: client
    instances: []
    prune: true
"""

RETURN = r"""
machine:
  description: The same text for the same machine, whatever its name in the inventory; it is another one after each boot.
  returned: success
  type: str
differs:
  description: What was not as wanted, with C(what), C(name) and C(why).
  returned: success
  type: list
  elements: dict
  sample:
    - what: file
      name: /etc/systemd/system/ss-server@.service
      why: has other content
refused:
  description:
    - What is in the way and somebody else wrote, a line each. In check mode it is returned; a real run fails with it before
      anything changes.
  returned: success
  type: list
  elements: str
steps:
  description: What is done to things that are there already, overwritten, restarted, stopped, masked, removed, a line each.
  returned: success
  type: list
  elements: str
missing:
  description: Binaries of the listed instances that are not installed, or not from O(archive).
  returned: success
  type: list
  elements: str
left:
  description: Units that were deployed, that nobody lists any more, and that stay.
  returned: success
  type: list
  elements: str
taken_off:
  description:
    - Clients that were under TCP Fast Open, got another server, and run without it, since it was not seen to work on the path
      there, each with why.
  returned: success
  type: list
  elements: str
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _machine
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _hangup
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _deployed
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_deploy.SPEC,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _hangup.ignore()
    try:
        result = _deployed.deploy(_deploy.build(module.params), module.check_mode)
    except (*_deploy.EXPECTED, *EXPECTED) as error:
        module.fail_json(msg=str(error))
    module.exit_json(machine=_machine.identity(), **dataclasses.asdict(result))


if __name__ == "__main__":
    main()
