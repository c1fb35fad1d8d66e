# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_discover
short_description: Find the Shadowsocks services that run on a host
version_added: 0.1.0
description:
  - Lists the Shadowsocks processes of this network namespace, whoever installed and started them, what their arguments
    and configs say, and whether an instance with C(unit) can adopt them.
  - Reads configs as the process itself does, and returns no secret of them, no path and no argument.
  - Needs root, who alone may see other users' files and sockets. Without it less is found, and less is understood.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
attributes:
  check_mode:
    support: full
    description: The module only looks.
  diff_mode:
    support: none
    description: There is nothing to compare.
  platform:
    support: full
    description: Linux with Python 3.9 or later; services are adopted from systemd only.
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_discovered
  - module: fastopen.shadowsocks.tfo_probe
"""

EXAMPLES = r"""
- name: Find the Shadowsocks services of this host
  fastopen.shadowsocks.tfo_discover:
  register: found

- name: Show what cannot be adopted, and why
  ansible.builtin.debug:
    msg: "{{ item.unit or item.pid }}: {{ item.why | join('; ') }}"
  loop: "{{ found.services | rejectattr('adoptable') }}"
"""

RETURN = r"""
services:
  description: The processes of Shadowsocks, by unit; those that this collection deployed are in RV(ours) instead.
  returned: success
  type: list
  elements: dict
  contains:
    side:
      description: V(server) or V(client); empty for a manager, which is neither.
      type: str
      returned: always
      sample: server
    program:
      description: The program's name, of ssservice with what it is, such as C(ssservice local).
      type: str
      returned: always
      sample: ss-server
    family:
      description: V(libev), V(rust) or V(python).
      type: str
      returned: always
      sample: libev
    unit:
      description: The Id of its unit; empty where no unit of this host's systemd runs it.
      type: str
      returned: always
      sample: shadowsocks-libev.service
    pid:
      description: The process's number.
      type: int
      returned: always
      sample: 123
    enabled:
      description: Whether the unit starts at boot.
      type: bool
      returned: always
      sample: true
    addresses:
      description: >-
        Where it listens, as its arguments and config name it, a plugin in its place counted too; of one that is not
        understood, its own sockets.
      type: list
      elements: str
      returned: always
      sample: ["::1", "127.0.0.1"]
    port:
      description: The port that it listens on; null where it is not understood and does not listen on just one for TCP.
      type: int
      returned: always
      sample: 8388
    servers:
      description: The servers that a client uses for TCP, in their order.
      type: list
      elements: dict
      returned: always
      sample: [{address: 203.0.113.7, port: 8388}]
      contains:
        address:
          description: A name or an address, as the client has it.
          type: str
          returned: always
          sample: 203.0.113.7
        port:
          description: The server's port.
          type: int
          returned: always
          sample: 8388
    method:
      description: The cipher, of servers with several all of them; null where it is not understood.
      type: str
      returned: always
      sample: aes-256-gcm
    mode:
      description: V(tcp_only), V(tcp_and_udp) or V(udp_only); null where it is not understood.
      type: str
      returned: always
      sample: tcp_only
    plugin:
      description: The plugin's program; null without one.
      type: str
      returned: always
      sample: v2ray-plugin
    fast_open:
      description: Whether it has TCP Fast Open on by its own arguments or config.
      type: bool
      returned: always
      sample: false
    adoptable:
      description: Whether an instance with C(unit) can adopt it.
      type: bool
      returned: always
      sample: true
    why:
      description: Why it cannot be adopted, or else what must be known of it.
      type: list
      elements: str
      returned: always
      sample: ["its config has changed after its start: restart it, so that what is read is what runs"]
listeners:
  description: Every other listener for TCP of the network namespace.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: What it binds.
      type: str
      returned: always
      sample: 0.0.0.0
    port:
      description: Its port.
      type: int
      returned: always
      sample: 443
    program:
      description: The name of its process; empty where that cannot be told.
      type: str
      returned: always
      sample: haproxy
    unit:
      description: Its unit; empty where it is of none, or that cannot be told.
      type: str
      returned: always
      sample: haproxy.service
addresses:
  description: >-
    The addresses of the host's interfaces, without loopback, link-local, and those of IPv6 that change by themselves.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.1, "2001:db8::1"]
ours:
  description: The units that this collection has deployed here.
  returned: success
  type: list
  elements: str
  sample: [ss-server@main.service]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _report
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _owned


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **_report.report())
    except _owned.OwnedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
