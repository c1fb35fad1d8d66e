# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands for ss-local: -c CONFIG [--fast-open]. Takes SOCKS5 and opens its connections as it does, but encrypts nothing."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import threading

FASTOPEN_CONNECT = 30  # TCP_FASTOPEN_CONNECT, linux/tcp.h
GRANTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def serve(near: socket.socket, config: dict, fast_open: bool) -> None:
    """The server is called with the request's first bytes, and both connections end together."""
    server = (config["server"], config["server_port"])
    far = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET)
    with near, far, contextlib.suppress(OSError):
        for reply in (b"\x05\x00", GRANTED):
            near.recv(512)
            near.sendall(reply)
        first = near.recv(65536)
        if fast_open:
            far.setsockopt(socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
        far.connect(server)
        far.sendall(first)
        while True:
            for one in select.select([near, far], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return
                (far if one is near else near).sendall(data)


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as source:
        settings = json.load(source)
    with socket.create_server((settings["local_address"], settings["local_port"])) as listener:
        while True:
            arguments = (listener.accept()[0], settings, "--fast-open" in sys.argv)
            threading.Thread(target=serve, args=arguments, daemon=True).start()
