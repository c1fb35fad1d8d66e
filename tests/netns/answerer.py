# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that answers whatever comes as an origin would, and keeps the connection: answerer.py PORT. Says "ready" once."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def answer(connection: socket.socket) -> None:
    """Until the other end closes."""
    with connection, contextlib.suppress(OSError):
        while connection.recv(65536):
            connection.sendall(ANSWER)


if __name__ == "__main__":
    with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        print("ready", flush=True)
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
