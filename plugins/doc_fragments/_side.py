# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One side of a host and what it should be like."""

    DOCUMENTATION = r"""
options:
  side:
    description: Which side of the host is meant. A host may have both.
    type: str
    required: true
    choices: [server, client]
  instances:
    description:
      - The instances of that side, as in C(ss_server_instances) or C(ss_client_instances).
      - They are checked on the controller, and a client's server is looked up in the inventory there.
    type: list
    elements: dict
  services:
    description:
      - The services that the instances stand for. Filled in on the controller from O(instances); do not set it.
    type: list
    elements: dict
    suboptions:
      program:
        description: The Shadowsocks program.
        type: str
        required: true
        choices: [ss-server, ss-local, ss-redir, ss-tunnel]
      name:
        description: The systemd instance.
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
      password:
        description: The password.
        type: str
        required: true
      mode:
        description: Which protocols are served.
        type: str
        default: tcp_only
      timeout_seconds:
        description: Idle time after which a connection is closed.
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
      plugin_opts:
        description: Its options.
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
  fast_open:
    description: Whether the services use TCP Fast Open. Left out, it stays as the host has it.
    type: bool
  fast_open_mode:
    description:
      - V(flag) runs ss-server with C(--fast-open), a listener queue of 5, and TFO towards origins as well.
      - V(listener) sets bit 0x400 in the kernel and no flag; the queue is the listen backlog, nothing is sent
        to origins by TFO, and every later listener of the network namespace accepts SYN data too.
    type: str
    choices: [flag, listener]
    default: flag
  limit_nofile:
    description: The units' C(LimitNOFILE).
    type: int
    default: 65536
  package:
    description: The package that holds the programs.
    type: str
    default: shadowsocks-libev
  kernel:
    description: The kernel's settings, as in M(fastopen.shadowsocks.tfo_sysctl). Left out, the kernel is left alone.
    type: dict
    suboptions:
      accept:
        description: Bit 0x2, accept data in SYNs.
        type: bool
      send:
        description: Bit 0x1, may send data in SYNs.
        type: bool
      all_listeners:
        description: Bit 0x400, every later listener accepts.
        type: bool
      key:
        description: The cookie key.
        type: str
      max_syn_backlog:
        description: C(net.ipv4.tcp_max_syn_backlog).
        type: int
      syncookies:
        description: C(net.ipv4.tcp_syncookies).
        type: int
        choices: [0, 1, 2]
      blackhole_timeout_seconds:
        description: C(net.ipv4.tcp_fastopen_blackhole_timeout_sec).
        type: int
      somaxconn:
        description: C(net.core.somaxconn).
        type: int
  sysctl_file:
    description: The drop-in that makes the kernel's settings last.
    type: path
    default: /etc/sysctl.d/99-tfo.conf
  probe_url:
    description: An http URL that must answer through each ss-local once it was changed.
    type: str
    default: ""
"""
