# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through a real SOCKS5 server on loopback that behaves, or does not."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel

URL = "http://origin.example:8080/path?q=1"
GREETING = b"\x05\x01\x00"
GRANTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
GRANTED_IPV6 = b"\x05\x00\x00\x04" + bytes(16) + b"\x00\x00"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Proxy(threading.Thread):
    """Serves one connection: each step is bytes to send, or a number of seconds to wait; ``got`` is what came.

    It answers the first two messages (greeting, CONNECT) with one step each, the request with all that are left.
    """

    def __init__(self, *steps: bytes | float, address: str = "127.0.0.1") -> None:
        super().__init__(daemon=True)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, 0), family=family)
        self.address = self.listener.getsockname()[:2]
        self.steps = steps
        self.got: list[bytes] = []

    def run(self) -> None:
        with self.listener:
            connection, _peer = self.listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            for number, step in enumerate(self.steps):
                if number < 3:
                    self.got.append(connection.recv(4096))
                if isinstance(step, bytes):
                    connection.sendall(step)
                else:
                    time.sleep(step)


@pytest.fixture
def proxy():
    """Start proxies; at the end each must have finished."""
    started = []

    def start(*steps: bytes | float, **options: str) -> Proxy:
        started.append(Proxy(*steps, **options))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.join(10)
        assert not one.is_alive()


@pytest.mark.parametrize("granted", [GRANTED, b"\x05\x00\x00\x03\x05bound\x00\x00"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_answer(proxy, address, granted):
    """What is sent is SOCKS5 without a login, a CONNECT to the name, and a request that leaves the connection open."""
    server = proxy(b"\x05\x00", granted, OK, address=address)
    fetch = _tunnel.fetch(server.address, URL, 5)
    server.join(10)
    assert (fetch.ok, fetch.status, fetch.error) == (True, 200, "")
    assert server.got[0] == GREETING
    assert server.got[1] == b"\x05\x01\x00\x03\x0eorigin.example" + struct.pack("!H", 8080)
    lines = server.got[2].decode().split("\r\n")
    assert lines[0] == "GET /path?q=1 HTTP/1.1"
    assert "Host: origin.example:8080" in lines
    assert not any(line.startswith("Connection:") for line in lines)
    assert lines[-2:] == ["", ""]


def test_time_to_the_first_byte(proxy):
    """From opening the connection to the first byte, not to the end of the answer."""
    server = proxy(b"\x05\x00", GRANTED, 0.2, OK[:1], 0.3, OK[1:])
    fetch = _tunnel.fetch(server.address, URL, 5)
    assert (fetch.ok, fetch.status) == (True, 200)
    assert 195 <= fetch.ttfb_ms < 450


@pytest.mark.parametrize(
    ("steps", "status", "ok"),
    [
        pytest.param([b"\x05\x00", GRANTED_IPV6, OK], 200, True, id="bound to IPv6"),
        pytest.param([b"\x05\x00", GRANTED, b"HTTP/1.0 404 Not Found\r\n\r\n"], 404, True, id="origin says no"),
        pytest.param([b"\x05\x00", GRANTED, b"HTTP/1.1 204\r\n\r\n"], 204, True, id="no words"),
        pytest.param([b"\x05\x00", GRANTED, b"HTTP/1.1 502 Bad Gateway\r\n\r\n"], 502, False, id="origin is broken"),
    ],
)
def test_status(proxy, steps, status, ok):
    """Any answer of the origin proves the tunnel, but not a server's failure."""
    fetch = _tunnel.fetch(proxy(*steps).address, URL, 5)
    assert (fetch.status, fetch.ok) == (status, ok)
    assert fetch.error == ("" if ok else f"HTTP status {status}")


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        pytest.param([b"\x05\xff"], "does not speak SOCKS5 without a login", id="wants a login"),
        pytest.param([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak SOCKS5", id="another protocol"),
        pytest.param([b""], "the proxy closed the connection", id="closes at once"),
        pytest.param([b"\x05\x00", b"\x05\x05\x00\x01"], "SOCKS5 reply 5", id="refuses the connection"),
        pytest.param([b"\x05\x00", GRANTED[:6]], "the proxy closed the connection", id="half a reply"),
        pytest.param([b"\x05\x00", GRANTED, b""], "closed the connection without an answer", id="no answer"),
        pytest.param([b"\x05\x00", GRANTED, b"SSH-2.0-x\r\n"], "the answer is not HTTP", id="not HTTP"),
        pytest.param([b"\x05\x00", GRANTED, b"HTTP/1.1 2"], "the answer is not HTTP", id="cut short"),
        pytest.param([b"\x05\x00", GRANTED, 0.5], "timed out", id="hangs"),
        pytest.param([b"\x05\x00", 0.5], "timed out", id="hangs in its reply"),
    ],
)
def test_failures_are_results(proxy, steps, error):
    """Each says what happened; none has a time."""
    fetch = _tunnel.fetch(proxy(*steps).address, URL, 0.25)
    assert (fetch.ok, fetch.ttfb_ms) == (False, None)
    assert error in fetch.error


def test_nobody_listens():
    """A dead client is a result too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    fetch = _tunnel.fetch(address, URL, 1)
    assert not fetch.ok
    assert "refused" in fetch.error


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", b"\x01\xc0\x00\x02\x01"),
        ("2001:db8::1", b"\x04" + bytes.fromhex("20010db8000000000000000000000001")),
        ("a.example", b"\x03\x09a.example"),
        ("bücher.example", b"\x03\x15xn--bcher-kva.example"),
    ],
)
def test_connect_request(host, address):
    """Addresses as such, so that the server need not resolve them; names for the server to resolve."""
    assert _tunnel.connect_request(host, 80) == b"\x05\x01\x00" + address + b"\x00\x50"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a.example", ("a.example", 80, "/")),
        ("http://a.example:8080/x/y?z", ("a.example", 8080, "/x/y?z")),
        ("http://[2001:db8::1]:81/", ("2001:db8::1", 81, "/")),
        ("HTTP://A.example/", ("a.example", 80, "/")),
    ],
)
def test_split(url, parts):
    """What a user may write."""
    assert _tunnel.split(url) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "https://a.example/",
        "http://",
        "http://a.example:port/",
        "http://a.example:99999/",
        "http://[::1/",
        "http://a..example/",
        f"http://{'x' * 64}.example/",
    ],
)
def test_bad_url(url):
    """It is told before any host is asked to fetch it."""
    with pytest.raises(_tunnel.TunnelError, match="rollout_probe_url"):
        _tunnel.split(url)


def test_ipv6_origin_in_the_host_header(proxy):
    """In brackets, as RFC 3986 wants it."""
    server = proxy(b"\x05\x00", GRANTED, OK)
    assert _tunnel.fetch(server.address, "http://[2001:db8::1]/", 5).ok
    server.join(10)
    assert b"\r\nHost: [2001:db8::1]:80\r\n" in server.got[2]


def test_tunnel_without_socks(proxy):
    """ss-tunnel leads to the origin by itself: the request is the first thing said."""
    server = proxy(OK)
    fetch = _tunnel.fetch(server.address, URL, 5, socks=False)
    server.join(10)
    assert fetch.ok
    assert server.got[0].startswith(b"GET /path?q=1 HTTP/1.1\r\n")
