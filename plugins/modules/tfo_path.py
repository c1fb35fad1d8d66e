# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_path
short_description: Tell what TCP Fast Open does on the path to a server
version_added: 0.1.0
description:
  - Connects to each target from the host that it runs on, plain and with TCP Fast Open in turn, each time with one byte
    of data, and judges what the kernel reports. The way there decides as much as the two ends do.
  - Needs no privilege. A Shadowsocks server waits for more than one byte and logs nothing.
  - Asks the server for a cookie where the host holds none, so the first attempt may be slower than the others and
    decides nothing.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
attributes:
  check_mode:
    support: full
    description: The module changes nothing on the host, and connects in check mode too.
  diff_mode:
    support: none
    description: There is nothing to compare.
  platform:
    support: full
    description: Linux with Python 3.9 or later; reasons are exact from kernel 5.5.
    platforms: linux
options:
  targets:
    description: Where to connect to. Targets are probed at the same time.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: >-
          A name, an IPv4 or an IPv6 address, in brackets or not. Of a name's addresses, IPv4 before IPv6 as Shadowsocks does, the
          first that answers is probed.
        type: str
        required: true
      port:
        description: The TCP port, from 1 to 65535.
        type: int
        required: true
  family:
    description: Which of a name's addresses count.
    type: str
    choices: [any, ipv4, ipv6]
    default: any
  attempts:
    description: How many times to connect each way. The kernel may need three before it sends data, so give at least 3.
    type: int
    default: 4
  timeout_seconds:
    description: How long an attempt may take. A SYN that is lost twice takes 3 seconds.
    type: float
    default: 5.0
seealso:
  - module: fastopen.shadowsocks.tfo_probe
"""

EXAMPLES = r"""
- name: Look at the paths to two servers
  fastopen.shadowsocks.tfo_path:
    targets:
      - host: ss1.example.org
        port: 8388
      - host: 2001:db8::7
        port: 8388
  register: probed

- name: Show the paths that would not gain from TCP Fast Open
  ansible.builtin.debug:
    msg: "{{ probed.paths | rejectattr('verdict', 'equalto', 'fast_open') }}"
"""

RETURN = r"""
paths:
  description: One entry per target, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The target's host, without brackets.
      type: str
      returned: always
    port:
      description: The target's port.
      type: int
      returned: always
    address:
      description: The address that was probed; null where the name does not resolve.
      type: str
      returned: always
      sample: 203.0.113.7
    verdict:
      description:
        - V(fast_open), data in the SYN arrives and is acknowledged.
        - V(no_cookie), the server or a box on the way grants no cookie; nothing is lost or gained.
        - V(data_refused), SYN data is sent and not acknowledged; it is sent again at once.
        - V(syn_dropped), SYNs with TCP Fast Open are lost on the way; every connection takes a second longer.
        - V(client_off), this host does not send SYN data, since net.ipv4.tcp_fastopen lacks 0x1.
        - V(paused), this host's blackhole detection has switched TCP Fast Open off for a while.
        - V(unreachable), not even a plain connection comes about.
      type: str
      returned: always
      sample: fast_open
    plain_ms:
      description: >-
        Median time in milliseconds from connecting until the byte was acknowledged, without TCP Fast Open: two round
        trips. Null where that never happened.
      type: float
      returned: always
      sample: 100.4
    fast_open_ms:
      description: The same with TCP Fast Open, without the first attempt; one round trip where it works.
      type: float
      returned: always
      sample: 50.3
    extra_ms:
      description: >-
        What TCP Fast Open costs on this path; negative where it saves time, about 1000 where SYNs are dropped.
      type: float
      returned: always
      sample: -50.1
    attempts:
      description: The attempts in their order.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description: V(plain) or V(fast_open).
          type: str
          returned: always
        connected:
          description: Whether the handshake came to its end and the server answered to the byte.
          type: bool
          returned: always
        handshake_ms:
          description: Time until the end of the handshake; null where there was none.
          type: float
          returned: always
        ms:
          description: Time until the byte was acknowledged; null where it never was.
          type: float
          returned: always
        syn_data:
          description: Whether data in the SYN was acknowledged.
          type: bool
          returned: always
        client_fail:
          description: >-
            Why it was not, as the kernel says (tcpi_fastopen_client_fail): 0 unknown, 1 no cookie, 2 data not
            acknowledged, 3 SYN sent again.
          type: int
          returned: always
        retransmits:
          description: Segments sent again during the handshake.
          type: int
          returned: always
        error:
          description: The error's name and text; null where there was none.
          type: str
          returned: always
          sample: "ECONNREFUSED: Connection refused"
    error:
      description: Why the name does not resolve; null where it does.
      type: str
      returned: always
"""

import socket
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path

FAMILIES = {"any": None, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
MOST_AT_ONCE = 16


def main() -> None:
    """Run the module."""
    target = {"host": {"type": "str", "required": True}, "port": {"type": "int", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": target},
            "family": {"type": "str", "choices": list(FAMILIES), "default": "any"},
            "attempts": {"type": "int", "default": _path.ATTEMPTS},
            "timeout_seconds": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    targets, attempts, timeout = (module.params[name] for name in ("targets", "attempts", "timeout_seconds"))
    family = FAMILIES[module.params["family"]]
    wrong = [target["port"] for target in targets if not 1 <= target["port"] <= 65535]
    if wrong:
        module.fail_json(msg=f"{wrong[0]} is not a TCP port. Give a number from 1 to 65535.")
    if not all(target["host"] for target in targets):
        module.fail_json(msg="host is empty. Give a name or an address.")
    if attempts < 1 or timeout <= 0:
        module.fail_json(msg="attempts and timeout_seconds must be greater than 0.")

    def probe(target: dict) -> dict:
        host = target["host"]
        bracketed = host.startswith("[") and host.endswith("]")
        return _path.probe(host[1:-1] if bracketed else host, target["port"], attempts, timeout, family)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        module.exit_json(changed=False, paths=list(pool.map(probe, targets)))


if __name__ == "__main__":
    main()
