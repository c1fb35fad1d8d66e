# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single attempts over loopback: no privilege, no setting touched."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _loopback
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt


@contextlib.contextmanager
def server(serve: Callable[[socket.socket], None], family: int = socket.AF_INET) -> Iterator[int]:
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((address, 0), family=family) as listener:
        thread = threading.Thread(target=lambda: serve(listener.accept()[0]))
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("kind", ["plain", "fast_open"])
def test_payload_arrives_once(kind: str) -> None:
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            received.extend(iter(lambda: connection.recv(100), b""))

    with server(serve) as port:
        attempt = getattr(_attempt, kind)("127.0.0.1", port, b"hello")
    assert b"".join(received) == b"hello"
    assert (attempt.kind, attempt.connected, attempt.errno) == (kind, True, None)
    assert 0 < attempt.handshake_ms <= attempt.ms < 1000


def test_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        attempt = _attempt.plain("127.0.0.1", unused.getsockname()[1])
    assert (attempt.connected, attempt.ms, attempt.errno) == (False, None, errno.ECONNREFUSED)
    assert attempt.to_dict()["error"] == "ECONNREFUSED: Connection refused"
    assert "errno" not in attempt.to_dict()


def test_full_queue_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        with socket.create_connection(listener.getsockname()):
            attempt = _attempt.plain("127.0.0.1", listener.getsockname()[1], timeout=0.2)
    assert (attempt.connected, attempt.errno) == (False, errno.ETIMEDOUT)


@pytest.mark.parametrize(
    ("number", "connected"), [(errno.ECONNRESET, True), (errno.EPIPE, True), (errno.ETIMEDOUT, False)]
)
def test_end_after_the_handshake(monkeypatch: pytest.MonkeyPatch, number: int, connected: bool) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(number, "")

    monkeypatch.setattr(_attempt, "_await_acknowledgement", fail)
    with server(socket.socket.close) as port:
        attempt = _attempt.plain("127.0.0.1", port)
    assert (attempt.connected, attempt.ms, attempt.errno) == (connected, None, number)


def test_reset_ends_the_wait() -> None:
    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    with server(serve) as port:
        attempt = _attempt.plain("127.0.0.1", port, timeout=60)
    assert attempt.connected


def test_what_the_syn_took_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []
    start = _attempt._start

    def take(sock: socket.socket, _kind: str, target: tuple, payload: bytes) -> int:
        start(sock, "plain", target, payload)
        return 3

    def serve(connection: socket.socket) -> None:
        with connection:
            received.extend(iter(lambda: connection.recv(100), b""))

    monkeypatch.setattr(_attempt, "_start", take)
    with server(serve) as port:
        _attempt.fast_open("127.0.0.1", port, b"hello")
    assert b"".join(received) == b"lo"


def test_no_such_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: int) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(_attempt.socket, "socket", missing)
    assert _attempt.plain("::1", 1).errno == errno.EAFNOSUPPORT
    assert _loopback.probe(socket.AF_INET6) == "unavailable"


def test_kernel_without_fast_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loopback.socket, "TCP_FASTOPEN", 9999)  # answers ENOPROTOOPT
    assert _loopback.probe(socket.AF_INET, listen=True) == "unsupported"
