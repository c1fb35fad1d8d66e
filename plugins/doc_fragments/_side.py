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
