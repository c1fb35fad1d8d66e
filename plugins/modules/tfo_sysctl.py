# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_sysctl
short_description: Set TCP Fast Open in the kernel, or put back what was there
version_added: 0.1.0
description:
  - Sets net.ipv4.tcp_fastopen and its neighbours at run time and for the boot in one step. Only the bits that are asked
    for change, the others are kept. Values are compared as numbers.
  - Keeps the values and the file that were there before the first change in a snapshot, and O(state=restored) puts
    exactly those back.
  - Looks which file of sysctl.d decides at boot, and fails with that file's name when it is not O(file).
  - Either everything is written or nothing.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
attributes:
  check_mode:
    support: full
    description: Reports and refuses what the real run would.
  diff_mode:
    support: full
    description: Run-time values and the file; a cookie key is never shown.
  platform:
    support: full
    description: Linux with Python 3.9 or later.
    platforms: linux
options:
  state:
    description: V(present) sets what is asked for. V(restored) puts the snapshot back and removes it.
    type: str
    choices: [present, restored]
    default: present
  accept:
    description: 0x2, listeners may accept data in a SYN. Not given, it is kept.
    type: bool
  send:
    description:
      - 0x1, clients may send data in their SYN. Not given, it is kept.
      - Shadowsocks programs with C(fast_open) exit or fail without it, servers too, so it is not cleared while one
        runs.
    type: bool
  all_listeners:
    description:
      - 0x400, every listener accepts that starts to listen afterwards, of every program in the network namespace.
      - Needs 0x2. Not given, it is kept.
    type: bool
  key:
    description:
      - The cookie key, or the key and its backup, joined by a comma. A key is four groups of up to eight hexadecimal
        digits, joined by dashes. Needed only for servers that share an address.
      - It is written as given, absolutely; O(file) then has mode 0600.
      - Not given, the kernel's own key is kept, and never written anywhere but into the snapshot.
    type: str
  max_syn_backlog:
    description: net.ipv4.tcp_max_syn_backlog, at least 1. Not given, it is kept.
    type: int
  syncookies:
    description: net.ipv4.tcp_syncookies. V(2) switches TCP Fast Open off. Not given, it is kept.
    type: int
    choices: [0, 1, 2]
  blackhole_timeout_seconds:
    description: >-
      net.ipv4.tcp_fastopen_blackhole_timeout_sec, how long an outage stops TCP Fast Open to all destinations; V(0) is
      never. Not given, it is kept.
    type: int
  somaxconn:
    description: net.core.somaxconn, the longest queue that a listener can have, at least 1. Not given, it is kept.
    type: int
  file:
    description: >-
      The file for the boot. Only lines for the settings above are written; others that stand in it are kept. It may be
      read by all, unless it holds a key.
    type: path
    default: /etc/sysctl.d/99-tfo.conf
  snapshot:
    description: >-
      The file that keeps what was before, for root only. It is extended when a setting changes for the first time, and
      what it knows is never overwritten.
    type: path
    default: /var/lib/fastopen/kernel.json
  force:
    description: Clear 0x1 although a program that needs it is running.
    type: bool
    default: false
notes:
  - A cookie key that was unset cannot be unset again before the next boot, and its zeros are never written back.
seealso:
  - module: fastopen.shadowsocks.tfo_probe
"""

EXAMPLES = r"""
- name: Let servers accept SYN data, and keep what their own fast_open needs
  fastopen.shadowsocks.tfo_sysctl:
    accept: true
    send: true
    somaxconn: 4096
  become: true

- name: Stop TCP Fast Open for all clients at once, without a restart
  fastopen.shadowsocks.tfo_sysctl:
    accept: false
  become: true

- name: Put everything back as it was found
  fastopen.shadowsocks.tfo_sysctl:
    state: restored
  become: true
"""

RETURN = r"""
before:
  description: The settings before, as far as the kernel has them; the names are those of the options.
  returned: success, and where another file wins at boot
  type: dict
  sample:
    value: 1
    send: true
    accept: false
    all_listeners: false
    send_without_cookie: false
    accept_without_cookie: false
    key: unset
    max_syn_backlog: 2048
    syncookies: 1
    blackhole_timeout_seconds: 0
    somaxconn: 4096
after:
  description: The settings after, in check mode those that there would be. Of the key it only tells
    V(set) or V(unset).
  returned: success, and where another file wins at boot
  type: dict
  sample:
    value: 3
    send: true
    accept: true
    all_listeners: false
    send_without_cookie: false
    accept_without_cookie: false
    key: unset
    max_syn_backlog: 2048
    syncookies: 1
    blackhole_timeout_seconds: 0
    somaxconn: 4096
snapshot:
  description: The snapshot's path; null where there is none.
  returned: success, and where another file wins at boot
  type: str
  sample: /var/lib/fastopen/kernel.json
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel

SETTINGS = {
    "accept": {"type": "bool"},
    "send": {"type": "bool"},
    "all_listeners": {"type": "bool"},
    "key": {"type": "str", "no_log": True},
    "max_syn_backlog": {"type": "int"},
    "syncookies": {"type": "int", "choices": [0, 1, 2]},
    "blackhole_timeout_seconds": {"type": "int"},
    "somaxconn": {"type": "int"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
            **SETTINGS,
            "file": {"type": "path", "default": _kernel.FILE},
            "snapshot": {"type": "path", "default": _kernel.SNAPSHOT},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    common = {
        "file": params["file"],
        "snapshot": params["snapshot"],
        "check": module.check_mode,
        "allow_unsafe": params["force"],
    }
    try:
        if params["state"] == "restored":
            result = _kernel.restore(**common)
        else:
            result = _kernel.converge({name: params[name] for name in SETTINGS}, **common)
    except _kernel.KernelError as error:
        module.fail_json(msg=str(error), **(error.result._asdict() if error.result else {}))
    module.exit_json(**result._asdict())


if __name__ == "__main__":
    main()
