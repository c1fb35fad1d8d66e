# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both bits of net.ipv4.tcp_fastopen proven by packets over the loopback interface. Needs no privilege."""

from __future__ import annotations

import errno
import socket

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path

# An address of its own, since cookies are cached per pair of addresses: nothing learnt from or left to other services.
_ADDRESSES = {socket.AF_INET: "127.84.70.79", socket.AF_INET6: "::1"}
_ATTEMPTS = 3  # a cookie request, or data with a cookie that went stale; then data; one to spare for option 254
_QUEUE = 5

UNAVAILABLE = "unavailable"  # the host has no such loopback address
UNSUPPORTED = "unsupported"  # the kernel has no TCP Fast Open


def probe(family: int, listen: bool = True) -> str:
    """Return the verdict of a throw-away listener and client: one of `tfo_path`'s, `unavailable` or `unsupported`.

    `listen` sets TCP_FASTOPEN on the listener. That makes the kernel draw a random cookie key where it has none, so
    pass False where 0x2 is known to be off.
    """
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((_ADDRESSES[family], 0))
            if listen:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, _QUEUE)
            listener.listen(_ATTEMPTS + 1)
            return accepts(listener.getsockname()[1], _ADDRESSES[family])
    except OSError as error:
        if error.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP):
            return UNSUPPORTED
        return UNAVAILABLE


def accepts(port: int, address: str = "127.0.0.1") -> str:
    """Return the verdict of up to three fast opens from this host to one of its own listeners; it must be listening."""
    attempts = []
    for _number in range(_ATTEMPTS):
        attempts.append(_attempt.fast_open(address, port, timeout=2))
        if attempts[-1].syn_data or not attempts[-1].connected:
            break
    return _path.classify(attempts, _path.pausable())
