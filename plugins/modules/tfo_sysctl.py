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
  - The bits are a request. It is kept on the host, and counted with what the services under TCP Fast Open need. A bit
    goes back only when nobody wants it any more. The kill switch overrules every request for 0x2.
  - Of all other settings the values and the lines that were there before the first change are kept in a snapshot, and
    O(state=restored) puts exactly those back. A value or line that somebody has changed since is theirs, and stays. A
    rollout and its way back never touch them.
  - A line is written only where the boot does not give the value already. Looks which file of sysctl.d decides, and
    fails with that file's name, before anything is changed, where it would set something else after O(file).
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
    description:
      - V(present) sets what is asked for.
      - V(restored) puts the snapshot back and removes it, and drops the request for bits; those that no service needs
        go back to what they were. Lines of others in O(file) stay.
    type: str
    choices: [present, restored]
    default: present
  accept:
    description:
      - 0x2, listeners may accept data in a SYN. Not given, what was asked for before is kept.
      - V(false) clears it also under services that need it. While the kill switch is on, V(true) sets nothing and
        warns; it holds once the kill switch is lifted.
    type: bool
  send:
    description:
      - 0x1, clients may send data in their SYN. Not given, what was asked for before is kept.
      - Shadowsocks programs with C(fast_open) exit or fail without it, servers too, so it is not cleared while one
        runs.
    type: bool
  all_listeners:
    description:
      - 0x400, every listener accepts that starts to listen afterwards, of every program in the network namespace.
      - Needs 0x2. Not given, what was asked for before is kept.
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
      The file for the boot. Only lines for the settings above are written; others that stand in it, whoever wrote them,
      are kept. It may be read by all, unless it holds a key.
    type: path
    default: /etc/sysctl.d/99-tfo.conf
  snapshot:
    description: >-
      The file that keeps what was before, but for the bits, for root only. It is extended when a setting changes for
      the first time, and what it knows is never overwritten.
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
  returned: success
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
  returned: success
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
  returned: success
  type: str
  sample: /var/lib/fastopen/kernel.json
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel, _switch, _transaction
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _asked, _record

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
            "file": {"type": "path", "default": _switch.FILE},
            "snapshot": {"type": "path", "default": _kernel.SNAPSHOT},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted = {name: params[name] for name in SETTINGS} if params["state"] == "present" else None
    try:
        result = _asked.converge(
            wanted, file=params["file"], snapshot=params["snapshot"], check=module.check_mode, force=params["force"]
        )
    except (_transaction.KernelError, _record.RecordError, OSError) as error:
        module.fail_json(msg=str(error))
    answer = result._asdict()
    for warning in answer.pop("warnings"):
        module.warn(warning)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
