# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTP receiver on loopback, good or bad."""

from __future__ import annotations

import http.server
import threading
from typing import Any

PATH = "/hooks/T0K3N?key=K3Y"
"""Of its URL; the secret part."""


class Receiver(http.server.ThreadingHTTPServer):
    """Answers ``status``; ``hangs`` never does, ``drips`` does so byte by byte. ``got`` is (path, headers, body) of each POST."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, status: int = 200, location: str = "", hangs: bool = False, drips: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.location, self.hangs, self.drips = status, location, hangs, drips
        self.got: list[tuple[str, Any, bytes]] = []
        self.closed = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}{PATH}"

    def __exit__(self, *_error: object) -> None:
        """No more of it; whoever waits is let go."""
        self.closed.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self) -> None:
        """Keep and answer it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers, body))
        if self.server.hangs:
            self.server.closed.wait(30)
            return
        if self.server.drips:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                if self.server.closed.wait(0.1):
                    return
                self.wfile.write(bytes([byte]))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """As a followed redirect would."""
        self.server.got.append((self.path, self.headers, b""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
