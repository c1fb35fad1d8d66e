# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tfo_path and sock_diag say of a path as it is at the moment."""

from __future__ import annotations

import socket

from _inside import inside
from _wire import PORT, SERVER, Namespace, Wire
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path, _tcp_info
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _sock_diag

ATTEMPT = ("kind", "connected", "ms", "handshake_ms", "error", "syn_data", "client_fail", "retransmits")


def write(namespace: Namespace, **values: object) -> None:
    """Write sysctls of net.ipv4."""
    for name, value in values.items():
        inside(namespace.name, _proc.write_sysctl, f"net.ipv4.{name}", str(value))


def probe(wire: Wire, port: int = PORT, user: int = 0) -> dict[str, dict]:
    """By family: the verdict, the attempts' ATTEMPT, and the struct tcp_info of each that was connected."""
    return {family: inside(wire.client.name, _probe, address, port, user=user) for family, address in SERVER.items()}


def _probe(address: str, port: int) -> dict:
    infos: list[str] = []
    parse = _tcp_info.parse

    def noted(raw: bytes) -> _tcp_info.TcpInfo:
        infos.append(raw.hex())
        return parse(raw)

    _tcp_info.parse = noted
    path = _path.probe(address, port)
    attempts = [[attempt[name] for name in ATTEMPT] for attempt in path["attempts"]]
    return {"verdict": path["verdict"], "attempts": attempts, "tcp_info": infos}


def diagnosed(wire: Wire) -> list[dict]:
    """Connections as sock_diag tells of them: the message of each, and what the collection reads in it."""
    write(wire.client, tcp_fastopen=1, tcp_fastopen_blackhole_timeout_sec=0)
    write(wire.server, tcp_fastopen=3)
    return [told for address in SERVER.values() for told in inside(wire.client.name, _diagnose, address)]


def _diagnose(address: str) -> list[dict]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = []
    for kind in ("plain", "fetches the cookie", "fast_open"):
        watch, known = _sock_diag.Watch([address], PORT, 0), _messages(address)
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            if kind == "plain":
                sock.connect((address, PORT))
            else:
                sock.sendto(b"x", _attempt._MSG_FASTOPEN, (address, PORT))
            connection = watch.only()
            [message] = [message for cookie, message in _messages(address).items() if cookie not in known]
            found.append({"kind": kind, "message": message, "connection": connection and list(connection)})
    return found


def _messages(address: str) -> dict[int, str]:
    """By the socket's cookie, in hexadecimal."""
    families, condition = _sock_diag._condition(address, PORT)
    messages = (message for family in families for message in _sock_diag._dump(family, condition))
    return {_sock_diag._MESSAGE.unpack_from(message)[0]: message.hex() for message in messages}
