# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One side of a host, and how its services are to use TCP Fast Open."""

    DOCUMENTATION = r"""
options:
  side:
    description: Which side of the host is meant. A host may have both.
    type: str
    required: true
    choices: [server, client]
  fast_open_mode:
    description:
      - V(flag) runs servers with C(--fast-open), a listener queue of 5 (libev) or 1024 (rust), and TFO towards origins as well.
      - V(listener) sets bit 0x400 in the kernel and no flag; the queue is the listen backlog, nothing is sent
        to origins by TFO, and every later listener of the network namespace accepts SYN data too.
      - Left out, it is V(flag) for libev and V(listener) for rust.
    type: str
    choices: [flag, listener]
  sysctl_file:
    description: The file in which C(net.ipv4.tcp_fastopen) has its line for the boot.
    type: path
    default: /etc/sysctl.d/99-tfo.conf
"""
