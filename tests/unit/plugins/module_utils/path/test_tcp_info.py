# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""struct tcp_info by its bytes."""

from __future__ import annotations

import socket
import struct

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _tcp_info


def raw(options: int = 0, bits: int = 0, retransmits: int = 0) -> bytes:
    data = bytearray(104)
    data[5], data[7] = options, bits
    struct.pack_into("=I", data, 100, retransmits)
    return bytes(data)


@pytest.mark.parametrize(
    ("order", "bits", "client_fail"),
    [
        ("little", 0b00000000, 0),
        ("little", 0b00000001, 0),  # app_limited
        ("little", 0b00000010, 1),
        ("little", 0b00000101, 2),
        ("little", 0b11111110, 3),
        ("big", 0b10000000, 0),
        ("big", 0b00100000, 1),
        ("big", 0b01000000, 2),
        ("big", 0b01100000, 3),
    ],
)
def test_client_fail(monkeypatch: pytest.MonkeyPatch, order: str, bits: int, client_fail: int) -> None:
    monkeypatch.setattr(_tcp_info.sys, "byteorder", order)
    assert _tcp_info.parse(raw(bits=bits)).client_fail == client_fail


@pytest.mark.parametrize(("options", "syn_data"), [(0, False), (7, False), (32, True), (32 + 7, True), (128, False)])
def test_syn_data(options: int, syn_data: bool) -> None:
    assert _tcp_info.parse(raw(options)).syn_data is syn_data


def test_retransmits() -> None:
    assert _tcp_info.parse(raw(retransmits=70000)).retransmits == 70000


def test_too_short() -> None:
    with pytest.raises(ValueError, match="103 bytes, 104 expected"):
        _tcp_info.parse(raw()[:-1])


def test_this_kernel_gives_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            assert _tcp_info.read(client) == (False, 0, 0)
