# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections over loopback as the kernel tells of them, and a kernel that does not. Real paths: tests/netns."""

from __future__ import annotations

import errno
import os
import socket
import struct

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _tcp_info
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _sock_diag
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils.path.test_tcp_info import raw

FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture(params=FAMILIES)
def listener(request):
    """On loopback; its connections are opened by tests."""
    with socket.create_server((request.param, 0), family=FAMILIES[request.param]) as server:
        yield server


def known(server, port, uid=None):
    return _sock_diag.connections(server, port, os.getuid() if uid is None else uid)


def test_new_connection(listener):
    """Only one that was not there before, as long as it is the only one."""
    address, port = listener.getsockname()[:2]
    with socket.create_connection((address, port)):
        watch = _sock_diag.Watch([address], port, os.getuid())
        assert watch.only() is None
        with socket.create_connection((address, port)):
            connection = watch.only()
            assert (connection.syn_data, connection.lost) == (False, 0)
            assert 0 < connection.rtt_ms < 50
            with socket.create_connection((address, port)):
                assert watch.only() is None


def test_closed_by_the_server(listener):
    """It is still there as long as the client has not closed it."""
    address, port = listener.getsockname()[:2]
    with socket.create_connection((address, port)):
        listener.accept()[0].close()
        assert len(known(address, port)) == 1


def test_filter(listener):
    """Address, port and user must fit; a name may be any address."""
    address, port = listener.getsockname()[:2]
    with socket.create_connection((address, port)):
        assert len(known(address, port)) == len(known("name.example", port)) == 1
        assert known("127.0.0.2", port) == known("::2", port) == {}
        assert known(address, port ^ 1) == known(address, port, uid=os.getuid() + 1) == {}


def test_mapped_address():
    """An IPv6 socket connected to an IPv4 server, and a server that is given so."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_INET6) as client:
        port = listener.getsockname()[1]
        client.connect(("::ffff:127.0.0.1", port))
        assert len(known("127.0.0.1", port)) == len(known("::ffff:127.0.0.1", port)) == 1
        assert known("127.0.0.2", port) == known("::1", port) == {}


def info(client_fail=0, retransmits=0, options=0, rtt=0):
    data = bytearray(raw(options, client_fail << 1, retransmits))
    struct.pack_into("=I", data, 68, rtt)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "connection"),
    [
        pytest.param(info(rtt=20125, options=32), (True, 0, 20.125), id="accepted"),
        pytest.param(info(client_fail=2, retransmits=1, rtt=20000), (False, 0, 20.0), id="refused"),
        pytest.param(info(client_fail=2, retransmits=3, rtt=20000), (False, 2, 20.0), id="refused and lost"),
        pytest.param(info(client_fail=2), (False, 0, None), id="refused and not sent again"),
        pytest.param(info(client_fail=3, retransmits=2, rtt=20000), (False, 1, 20.0), id="SYN lost with its data"),
        pytest.param(info(client_fail=1, retransmits=1, rtt=20000), (False, 1, 20.0), id="cookie request lost"),
        pytest.param(info(retransmits=2), (False, 2, None), id="SYN sent"),
    ],
)
def test_connection(monkeypatch, data, connection):
    """What is a loss, and what is not."""
    monkeypatch.setattr(_tcp_info.sys, "byteorder", "little")
    assert _sock_diag._connection(data) == connection


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM])
def test_no_netlink(monkeypatch, code):
    """Not there, not loaded, or filtered."""

    def refuse(*_arguments):
        raise OSError(code, "no")

    monkeypatch.setattr(_sock_diag.socket, "socket", refuse)
    assert known("192.0.2.1", 8388) == {}
    assert _sock_diag.Watch(["192.0.2.1"], 8388, 0).only() is None


def test_kernel_refuses(monkeypatch, listener):
    """It answers with an error."""
    address, port = listener.getsockname()[:2]
    monkeypatch.setattr(_sock_diag, "_SOCK_DIAG_BY_FAMILY", 120)
    families, condition = _sock_diag._condition(address, port)
    with pytest.raises(OSError, match="Invalid argument"):
        next(_sock_diag._dump(families[0], condition))
    with socket.create_connection((address, port)):
        assert known(address, port) == {}
