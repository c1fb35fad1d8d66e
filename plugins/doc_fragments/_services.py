# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The instances of one side, and the services that they stand for."""

    DOCUMENTATION = r"""
options:
  instances:
    description:
      - The instances, as in C(ss_server_instances) or C(ss_client_instances).
      - They are checked on the controller, and a client's server is looked up in the inventory there.
      - A task of M(fastopen.shadowsocks.tfo_host) or M(fastopen.shadowsocks.tfo_tunnel) that delegates and leaves them out
        means those that the inventory has for the host it delegates to.
    type: list
    elements: dict
  services:
    description:
      - The services that the instances stand for. Filled in on the controller from O(instances); do not set it.
    type: list
    elements: dict
    suboptions:
      implementation:
        description: What runs it.
        type: str
        choices: [libev, rust]
        default: libev
      program:
        description: The Shadowsocks program as libev calls it, whatever the implementation is.
        type: str
        required: true
        choices: [ss-server, ss-local, ss-redir, ss-tunnel]
      name:
        description: The systemd instance.
        type: str
        required: true
      instance:
        description: The instance of the inventory that it is of.
        type: str
        required: true
      server:
        description: Addresses to bind (servers), or the server's address (clients).
        type: list
        elements: str
        required: true
      server_port:
        description: The server's port.
        type: int
        required: true
      server_host:
        description: The inventory host that is the server.
        type: str
      method:
        description: The cipher.
        type: str
        required: true
      mode:
        description: Which protocols are served.
        type: str
        default: tcp_only
      timeout_seconds:
        description: Idle time after which a connection is closed; with rust the time for setting one up.
        type: int
        default: 300
      local_address:
        description: Where a client listens.
        type: str
      local_port:
        description: The port on which a client listens.
        type: int
      tunnel_address:
        description: Where ss-tunnel leads to.
        type: str
      plugin:
        description: A SIP003 plugin.
        type: str
      nameserver:
        description: The name server that ss-server asks.
        type: str
      acl:
        description: The text of the access list.
        type: str
      reuse_port:
        description: Whether several services share the port.
        type: bool
        default: false
      workers:
        description: The threads of the process, where the implementation has threads; left out, one a processor.
        type: int
  secrets:
    description:
      - Passwords, users and plugin options of the services, encoded as one text, so that no result is searched for them. Filled in on
        the controller from O(instances); do not set it.
    type: str
attributes:
  check_mode:
    description: Works in check mode, and tells what the real run would.
    support: full
  action:
    description: An action plugin prepares it on the controller.
    support: partial
    details: The instances are checked and looked up on the controller.
"""
