# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A listener that takes every connection and reads it to its end: listener.py PORT QUEUE BACKLOG ADDRESS.

QUEUE is the value of TCP_FASTOPEN, 0 for none. With a BACKLOG of 0 it accepts nothing at all. ADDRESS is one of IPv6: ::
takes IPv4 as well, ::ffff:192.0.2.2 nothing else. Says "ready" once.
"""

from __future__ import annotations

import socket
import sys
import threading

if __name__ == "__main__":
    port, queue, backlog = map(int, sys.argv[1:4])
    bound = (sys.argv[4], port)
    with socket.create_server(bound, family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True) as listener:
        if queue:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, queue)
        print("ready", flush=True)
        while backlog:
            connection = listener.accept()[0]
            threading.Thread(target=lambda sock=connection: sock.recv(65536), daemon=True).start()
        threading.Event().wait()
