#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_discover
short_description: Find the Shadowsocks services that run on a host, whoever installed them
version_added: 0.1.0
description:
  - Looks at every process of the host's network namespace, at its unit, its arguments and its config, and says of each
    Shadowsocks program whether its TCP Fast Open could be adopted, or why not.
  - No secret, no argument and no other content of a config is in the result. Changes nothing.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options: {}
attributes:
  check_mode:
    description: Works in check mode, as it only reads.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Linux with systemd, Python 3.9 or later. Configs that only root may read are read by root only.
    support: full
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_discovered
"""

EXAMPLES = r"""
- name: Find what runs
  fastopen.shadowsocks.tfo_discover:
  register: found
"""

RETURN = r"""
services:
  description:
    - One entry a Shadowsocks process that this collection has not deployed. C(side) is server, client, or '' for a manager;
      C(family) libev, rust or python; C(unit) the systemd unit that runs it, or ''.
    - C(addresses) and C(port) are where it listens, C(servers) where a client connects to; these and C(method), C(mode) and
      C(plugin) are empty or null where its config is not understood. C(fast_open) says whether it has TFO by its own config.
    - C(adoptable), and C(why) not, or what must be known.
  returned: success
  type: list
  elements: dict
  sample:
    - side: client
      program: ss-local
      family: libev
      unit: shadowsocks-libev-local@tun.service
      pid: 123
      enabled: true
      addresses: [127.0.0.1]
      port: 1080
      servers:
        - address: 203.0.113.7
          port: 8388
      method: aes-256-gcm
      mode: tcp_only
      plugin: null
      fast_open: false
      adoptable: true
      why: []
listeners:
  description: Every other TCP listener, with C(address), C(port), C(program) and C(unit).
  returned: success
  type: list
  elements: dict
addresses:
  description: The global addresses of the host's interfaces.
  returned: success
  type: list
  elements: str
ours:
  description: The units that this collection has deployed.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _addresses, _find
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _owned, _systemd


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        services = _find.services()
        found = {
            "services": services,
            "listeners": _find.listeners(services),
            "addresses": _addresses.of_interfaces(),
            "ours": sorted(_owned.load()),
        }
    except (_owned.OwnedError, _systemd.SystemdError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
