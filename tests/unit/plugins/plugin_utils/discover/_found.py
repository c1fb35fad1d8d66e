# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tfo_discover returns of hosts, in small."""

from __future__ import annotations

from typing import Any

UNIT = "shadowsocks-libev.service"
TUN = "shadowsocks-libev-local@tun.service"


def server(unit: str = UNIT, **change: Any) -> dict[str, Any]:
    """A server as Debian's package runs it."""
    return {
        "side": "server",
        "program": "ss-server",
        "family": "libev",
        "unit": unit,
        "pid": 123,
        "enabled": True,
        "addresses": ["::", "0.0.0.0"],
        "port": 8388,
        "servers": [],
        "method": "aes-256-gcm",
        "mode": "tcp_only",
        "plugin": None,
        "fast_open": False,
        "adoptable": True,
        "why": [],
        **change,
    }


def client(*servers: str, unit: str = TUN, **change: Any) -> dict[str, Any]:
    """A client of servers at these addresses, port 8388."""
    ends = [{"address": address, "port": 8388} for address in servers or ("203.0.113.7",)]
    own = {"side": "client", "program": "ss-local", "addresses": ["127.0.0.1"], "port": 1080, "servers": ends}
    return {**server(unit), **own, **change}


def look(*services: dict[str, Any], **change: Any) -> dict[str, Any]:
    """The result of a host."""
    return {"services": list(services), "listeners": [], "addresses": [], "ours": [], **change}
