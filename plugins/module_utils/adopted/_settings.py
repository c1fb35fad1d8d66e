# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running Shadowsocks program has been told, whichever implementation it is of."""

from __future__ import annotations

import typing as t

Read = t.Callable[[t.Optional[str]], bytes]
"""A config by the path that the process has for it, None for the one that it finds by itself."""
Variable = t.Callable[[str], t.Optional[str]]
"""The value of a variable of the process's environment, None where it has none."""
OWN_WAY = "it goes out by an interface, address or mark of its own ({}), and a measurement would not: take that away"
START = "with what stands there now it would not start: correct that, and restart it"


class Server(t.NamedTuple):
    """``address`` and ``port``: of a server where it listens, of a client where it connects to. ``method`` as it is written.

    ``secrets`` are the password or key, of both the one that counts, and a plugin's options: for this host alone.
    """

    address: str
    port: int
    method: str
    plugin: t.Optional[str]
    secrets: dict[str, t.Any]


class Settings(t.NamedTuple):
    """``implementation`` is libev or rust, ``program`` what the former would call it. ``servers`` are those of its TCP, in their order; those of a
    server have one port. ``mode`` is one of tcp_only, tcp_and_udp, udp_only.

    ``local_address`` and ``local_port`` are where a client listens, None of a server; ``beside``: protocol and address of
    its other listeners. ``fast_open``: it switches TFO on by itself. ``ipv6_first``: of a name that has both it takes IPv6.
    """

    implementation: str
    program: str
    servers: tuple[Server, ...]
    mode: str
    local_address: t.Optional[str]
    local_port: t.Optional[int]
    tunnel_address: t.Optional[str]
    fast_open: bool
    beside: tuple[str, ...] = ()
    ipv6_first: bool = False


class NotUnderstood(Exception):
    """It cannot be told what this program does; the message says why, without a value of its arguments or config."""
