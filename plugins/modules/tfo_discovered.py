#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_discovered
short_description: Adopt the Shadowsocks services that were found on hosts
version_added: 0.1.0
description:
  - Serves the role rollout only. It reads what that role found on every host, matches clients to servers, and writes the
    C(ss_server_instances) and C(ss_client_instances) that adopt the services, one file C(HOST/shadowsocks.yml) a host.
  - Nobody else's file is touched, nor hidden from Ansible by one of ours; what cannot be written is told, to be added by hand.
  - No secret is read or written. A name in a client's config is compared with names only, never resolved.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
attributes:
  diff_mode:
    description: Shows each file before and after.
    support: full
options:
  hosts:
    description: The inventory hosts.
    type: list
    elements: str
    required: true
  folder:
    description:
      - The folder C(host_vars) to write to, on the controller.
      - Left empty, it is the one beside the first source of the inventory that is a file or folder.
    type: path
    default: ""
  overwrite:
    description:
      - Whether files that were written before are brought up to date. Names, and what was added to an instance, stay.
    type: bool
    default: false
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Adopt what was found
  fastopen.shadowsocks.tfo_discovered:
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
files:
  description: One entry a host that has such a file, or needs one.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The inventory host.
      type: str
    path:
      description: The file.
      type: str
    state:
      description:
        - V(new) or V(replaced), V(same) where it says so already, V(kept) where it says otherwise and O(overwrite) is false,
          V(blocked) where there can be none, V(failed) where writing it failed.
      type: str
lines:
  description: The table for people, what to add to the inventory, and the next command.
  returned: success
  type: list
  elements: str
details:
  description: The instances of each file.
  returned: success
  type: list
  elements: str
"""
