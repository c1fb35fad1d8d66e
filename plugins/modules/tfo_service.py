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
    the files that it reads. Instances that are no longer listed are stopped and removed.
  - TCP Fast Open is the business of M(fastopen.shadowsocks.tfo_stage). Its drop-ins follow what changes below them, and go
    with their instance.
  - A run that was killed at any point can be started again. What really runs is compared, not only files.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._services
options:
  side:
    description: Which side of the host is meant. A host may have both.
    type: str
    required: true
    choices: [server, client]
  limit_nofile:
    description: The units' C(LimitNOFILE).
    type: int
    default: 65536
attributes:
  diff_mode:
    description: Shows files line by line, without their secrets, and what happens to services.
    support: full
  platform:
    description: Debian 12 or 13 with systemd, Python 3.9 or later.
    support: full
    platforms: debian
seealso:
  - module: fastopen.shadowsocks.tfo_stage
"""

EXAMPLES = r"""
- name: Run a server
  fastopen.shadowsocks.tfo_service:
    side: server
    instances:
      - {name: main, port: 8388, method: aes-256-gcm, password: "{{ vault_ss_password }}"}

- name: Stop and remove every client
  fastopen.shadowsocks.tfo_service:
    side: client
    instances: []
"""

RETURN = r"""
differs:
  description: What was not as wanted, with C(what), C(name) and C(why).
  returned: success
  type: list
  elements: dict
  sample:
    - what: file
      name: /etc/systemd/system/ss-server@.service
      why: has other content
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _deploy
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _deployed
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    module = AnsibleModule(argument_spec=_deploy.SPEC, supports_check_mode=True)
    try:
        result = _deployed.deploy(_deploy.build(module.params), module.check_mode)
    except (_apply.ApplyError, *EXPECTED) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**dataclasses.asdict(result))


if __name__ == "__main__":
    main()
