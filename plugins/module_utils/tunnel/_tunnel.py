# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request through a Shadowsocks client, timed to the first byte of the answer."""

from __future__ import annotations

import socket
import struct
import time
import typing as t
import urllib.parse

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._sock_diag import Connection


class Fetch(t.NamedTuple):
    """What came of one request: ``ttfb_ms`` from opening the connection to the proxy to the answer's first byte.

    ``connection``: the proxy's own to its server at that moment or when the request had failed, where it was seen.
    """

    ok: bool
    ttfb_ms: t.Optional[float]
    status: t.Optional[int] = None
    error: str = ""
    connection: t.Optional[Connection] = None


Look = t.Callable[[], t.Optional[Connection]]


class TunnelError(Exception):
    """The URL or the proxy cannot be used at all."""


def split(url: str) -> tuple[str, int, str]:
    """Host, port and path of an http URL. Raises TunnelError."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or 80
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise TunnelError(f"rollout_probe_url {url!r}: {error}") from None
    if parts.scheme != "http" or not parts.hostname:
        raise TunnelError(f"rollout_probe_url {url!r} must be http://HOST[:PORT][/PATH]: a plain first byte is timed")
    return parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def connect_request(host: str, port: int) -> bytes:
    """The SOCKS5 CONNECT for a name or an address (RFC 1928 section 4)."""
    for kind, family in ((1, socket.AF_INET), (4, socket.AF_INET6)):
        try:
            address = bytes([kind]) + socket.inet_pton(family, host)
            break
        except OSError:
            continue
    else:
        name = host.encode("idna")
        address = bytes([3, len(name)]) + name
    return b"\x05\x01\x00" + address + struct.pack("!H", port)


def fetch(proxy: tuple[str, int], url: str, timeout: float, socks: bool = True, look: Look = lambda: None) -> Fetch:
    """GET the URL through the SOCKS5 proxy, or through a tunnel that leads to the URL's host (``socks`` False).

    Never raises for what the network does: that is the result. The connection stays open (RFC 9112 section 9.3: no
    ``Connection: close``) until ``look`` has seen the proxy's own.
    """
    host, port, path = split(url)
    name = f"[{host}]" if ":" in host else host
    request = f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nUser-Agent: fastopen.shadowsocks\r\nAccept: */*\r\n\r\n"
    started, connection = time.monotonic(), None
    try:
        with socket.create_connection(proxy, timeout=timeout) as stream:
            stream.settimeout(timeout)
            try:
                if socks:
                    _open(stream, host, port)
                stream.sendall(request.encode())
                head = part = stream.recv(4096)
            finally:
                elapsed = (time.monotonic() - started) * 1000
                connection = look()
            while part and b"\r\n" not in head and len(head) < 4096:
                part = stream.recv(4096)
                head += part
    except (OSError, EOFError) as error:
        return Fetch(False, None, error=str(error) or type(error).__name__, connection=connection)
    ok, status, error = _judged(head)
    return Fetch(ok, None if status is None else round(elapsed, 3), status, error, connection)


def _judged(head: bytes) -> tuple[bool, t.Optional[int], str]:
    """Whether the answer's start proves the tunnel, its HTTP status, and what is wrong with it."""
    if not head:
        return False, None, "the tunnel closed the connection without an answer"
    status = _status(head)
    if status is None:
        return False, None, "the answer is not HTTP"
    return status < 500, status, "" if status < 500 else f"HTTP status {status}"


def _open(stream: socket.socket, host: str, port: int) -> None:
    """Ask the proxy for a connection (RFC 1928). Raises OSError where it grants none, EOFError where it hangs up."""
    stream.sendall(b"\x05\x01\x00")
    if _exactly(stream, 2) != b"\x05\x00":
        raise OSError("the proxy does not speak SOCKS5 without a login")
    stream.sendall(connect_request(host, port))
    reply = _exactly(stream, 4)
    if reply[1] != 0:
        raise OSError(f"the proxy refused the connection (SOCKS5 reply {reply[1]})")
    size = _exactly(stream, 1)[0] if reply[3] == 3 else {1: 4, 4: 16}.get(reply[3], 0)
    _exactly(stream, size + 2)  # the address that it is bound to, and the port (RFC 1928 section 6)


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            raise EOFError("the proxy closed the connection")
        data += part
    return data


def _status(head: bytes) -> t.Optional[int]:
    line, end, _rest = head.partition(b"\r\n")
    words = line.split()
    if not end or len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    return int(words[1])
