# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The origin web server, on port 80 of IPv4 and IPv6: `GET /` answers a few bytes, `GET /bytes/N` N bytes, `GET /rust.tar.xz`
the archive of shadowsocks-rust, where it was brought.
"""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ARCHIVE = Path("/srv/rust.tar.xz")
MOST = 64 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """One connection; keeps it open for HTTP/1.1 clients, and answers in one segment when the answer is small."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self) -> None:  # the name is http.server's
        """Answer `/`, `/bytes/N` and the archive, 404 for the rest."""
        kind, _slash, number = self.path.lstrip("/").partition("/")
        if self.path == "/":
            self._answer(200, b"origin\n")
        elif kind == "bytes" and number.isdecimal() and int(number) <= MOST:
            self._answer(200, b"x" * int(number))
        elif self.path == f"/{ARCHIVE.name}" and ARCHIVE.exists():
            self._answer(200, ARCHIVE.read_bytes())
        else:
            self._answer(404, b"not here: try / or /bytes/N\n")

    def _answer(self, status: int, body: bytes) -> None:
        # written at once: http.server would send header and body as two segments
        head = f"HTTP/1.1 {status} {self.responses[status][0]}\r\nContent-Length: {len(body)}\r\n\r\n"
        if self.request_version == "HTTP/1.0":
            self.close_connection = True
        self.wfile.write(head.encode() + body)


class Server(ThreadingHTTPServer):
    """Dual stack: an IPv6 listener serves IPv4 as well; the socket server never looks a name up."""

    address_family = socket.AF_INET6
    request_queue_size = 1024


if __name__ == "__main__":
    Server(("::", 80), Handler).serve_forever()
