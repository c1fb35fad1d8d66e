# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counters by name, whatever their order."""

from __future__ import annotations

import pathlib

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters

SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin MaxConn OutSegs RetransSegs
Tcp: 1 200 -1 500 7
TcpOther: OutSegs
TcpOther: 999
"""
NETSTAT = """\
TcpExt: SyncookiesSent TCPFastOpenActive TCPSynRetrans
TcpExt: 0 12 3
IpExt: InNoRoutes TCPFastOpenActive
IpExt: 0 77
"""


def test_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/snmp").write_text(SNMP)
    (tmp_path / "net/netstat").write_text(NETSTAT)
    assert _counters.read(str(tmp_path)) == {
        "RtoAlgorithm": 1,
        "RtoMin": 200,
        "MaxConn": -1,
        "OutSegs": 500,
        "RetransSegs": 7,
        "SyncookiesSent": 0,
        "TCPFastOpenActive": 12,
        "TCPSynRetrans": 3,
    }


def test_this_kernel_has_them_all() -> None:
    assert set(_counters.NAMES) <= set(_counters.read())


def test_delta_is_of_what_both_have() -> None:
    assert _counters.delta({"a": 1, "gone": 5}, {"a": 4, "new": 2}) == {"a": 3}
