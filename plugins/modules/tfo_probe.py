# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_probe
short_description: Tell what is known about TCP Fast Open on a host
version_added: 0.1.0
description:
  - Reads the kernel's settings, works out what the next boot sets, proves the client's and the server's bit with
    packets over the loopback interface, and lists what is wrong together with its remedy.
  - Needs no privilege. What only root may read is reported as V(unreadable). The processes that use TCP Fast Open
    are complete for root only.
  - Settings and counters belong to a network namespace, so run it in that of the service.
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
    description: Linux with Python 3.9 or later.
    platforms: linux
notes:
  - Where net.ipv4.tcp_fastopen has 0x2 and no program has used TCP Fast Open yet, the throw-away listener makes the
    kernel draw its random cookie key, like any other listener.
seealso:
  - module: fastopen.shadowsocks.tfo_sysctl
  - module: fastopen.shadowsocks.tfo_path
"""

EXAMPLES = r"""
- name: Look at TCP Fast Open
  fastopen.shadowsocks.tfo_probe:
  register: probe

- name: Refuse hosts that have an error
  ansible.builtin.assert:
    that: probe.fastopen.problems | selectattr('severity', 'equalto', 'error') | length == 0
    fail_msg: "{{ probe.fastopen.problems | map(attribute='remedy') | join(' ') }}"
"""

RETURN = r"""
fastopen:
  description: What is known.
  returned: success
  type: dict
  contains:
    kernel_release:
      description: The kernel's release, for people; nothing is decided by it.
      type: str
      returned: always
      sample: 6.12.57+deb13-amd64
    sysctl:
      description: The present net.ipv4.tcp_fastopen and its bits; null where the kernel does not have it.
      type: dict
      returned: always
      contains:
        value:
          description: The whole number.
          type: int
          returned: always
          sample: 3
        send:
          description: 0x1, clients may send data in their SYN.
          type: bool
          returned: always
        accept:
          description: 0x2, listeners may accept data in a SYN.
          type: bool
          returned: always
        all_listeners:
          description: 0x400, every listener that starts to listen accepts, without asking for it itself.
          type: bool
          returned: always
        send_without_cookie:
          description: 0x4, data is sent without a cookie.
          type: bool
          returned: always
        accept_without_cookie:
          description: 0x200, data is accepted without a cookie, so from forged addresses too.
          type: bool
          returned: always
    boot:
      description: What the next boot makes of net.ipv4.tcp_fastopen.
      type: dict
      returned: always
      contains:
        value:
          description: >-
            The number, V(unreadable) where the deciding file may be one that only root can read, or null where the
            file holds something that the kernel refuses.
          type: raw
          returned: always
          sample: 3
        file:
          description: The file that decides; null where none does and the kernel's default (1) stays.
          type: str
          returned: always
          sample: /etc/sysctl.d/99-tfo.conf
        agrees:
          description: Whether that is the present value; null where it is unreadable.
          type: bool
          returned: always
    loopback:
      description: >-
        What packets over the loopback interface show: one of the verdicts of M(fastopen.shadowsocks.tfo_path),
        V(unavailable) (no such address on this host) or V(unsupported) (the kernel has no TCP Fast Open).
        V(fast_open) proves both bits, V(no_cookie) the client's alone.
      type: dict
      returned: always
      contains:
        ipv4:
          description: Over IPv4.
          type: str
          returned: always
          sample: fast_open
        ipv6:
          description: Over IPv6.
          type: str
          returned: always
          sample: fast_open
    key:
      description: The state of the cookie key, V(set), V(unset) or V(unreadable); null where the kernel has none.
      type: str
      returned: always
      sample: unreadable
    key_file:
      description: The file that sets the cookie key at boot; null where none does.
      type: str
      returned: always
    syncookies:
      description: net.ipv4.tcp_syncookies; 2 switches TCP Fast Open off.
      type: int
      returned: always
      sample: 1
    blackhole_timeout_seconds:
      description: net.ipv4.tcp_fastopen_blackhole_timeout_sec; 0 is off.
      type: int
      returned: always
      sample: 0
    somaxconn:
      description: net.core.somaxconn.
      type: int
      returned: always
      sample: 4096
    max_syn_backlog:
      description: net.ipv4.tcp_max_syn_backlog.
      type: int
      returned: always
      sample: 2048
    counters:
      description: Counters of the network namespace by the kernel's names, as far as this kernel has them.
      type: dict
      returned: always
      sample: {TCPFastOpenActive: 12, TCPFastOpenActiveFail: 0, TCPSynRetrans: 3}
    processes:
      description: Running Shadowsocks programs that use TCP Fast Open, or may.
      type: list
      elements: dict
      returned: always
      contains:
        pid:
          description: The process's number.
          type: int
          returned: always
        program:
          description: The program's name.
          type: str
          returned: always
          sample: ss-server
        reason:
          description: Why it is held to use TCP Fast Open.
          type: str
          returned: always
          sample: fast_open is true in /etc/shadowsocks/main.json
    problems:
      description: What is wrong, errors first.
      type: list
      elements: dict
      returned: always
      contains:
        code:
          description: A fixed name for programs.
          type: str
          returned: always
          sample: boot_disagrees
        severity:
          description: V(error) is broken or unsafe, V(warning) will break or is slow, V(info) is good to know.
          type: str
          returned: always
          sample: warning
        message:
          description: What was seen.
          type: str
          returned: always
        remedy:
          description: What to do about it.
          type: str
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, fastopen=_probe.observe())


if __name__ == "__main__":
    main()
