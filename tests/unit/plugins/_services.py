# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and a client, as instances of the inventory and as the services that the modules get."""

from __future__ import annotations

from typing import Any

MARKER = "s3cret-marker"
"""The password of them all, which must not turn up in any message, result or diff."""

SERVER_INSTANCE: dict[str, Any] = {"name": "main", "port": 8388, "method": "aes-256-gcm", "password": MARKER}
CLIENT_INSTANCE: dict[str, Any] = {"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1080}

SERVER_SERVICE: dict[str, Any] = {
    "program": "ss-server",
    "name": "main",
    "instance": "main",
    "server": ["::", "0.0.0.0"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": MARKER,
    "mode": "tcp_only",
    "timeout_seconds": 300,
}
CLIENT_SERVICE: dict[str, Any] = {
    **SERVER_SERVICE,
    "program": "ss-local",
    "server": ["203.0.113.7"],
    "local_address": "127.0.0.1",
    "local_port": 1080,
}

BARE_CLIENT: dict[str, Any] = {
    "program": "ss-local",
    "name": "main",
    "server": ["203.0.113.7"],
    "server_port": 8388,
    "server_host": "ss1",
    "mode": "tcp_only",
    "local_address": "127.0.0.1",
    "local_port": 1080,
}
"""A client without its secrets."""
