# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an implementation of Shadowsocks is to this collection. Each one is an object in a file of its own beside this."""

from __future__ import annotations

import dataclasses
import typing as t

Service = t.Mapping[str, t.Any]
"""As in service/_service.py, with its secrets."""


@dataclasses.dataclass(frozen=True)
class Implementation:
    """Units and instances name programs as libev does (ss-server, ss-local, ss-redir, ss-tunnel), whatever runs behind them.

    ``title`` is what messages call it. ``binaries``: the binary behind each program. ``package`` is the package that
    holds them, ``folder`` where they are put when they are installed; ``manual`` is their manual as systemd takes it,
    with the binary in it. ``fast_open_in_help`` stands in the help of a build that knows ``--fast-open``.
    ``fast_open_mode`` is that of a server for which nobody chose one. ``fails_silently``: with the flag and without kernel
    bit 0x1 a server runs on while every connection fails, which only a request shows; else it ends.

    ``methods`` are its ciphers, ``insecure_methods`` those without integrity; with one in ``key_bytes`` the password is
    a key of so many bytes in base64, and one in ``user_methods`` has several users a server. ``threads``: one process
    has all workers. ``skips_families``: of several addresses to bind, those of a family that the host lacks are skipped;
    else the server does not start. ``password_from_environment``: a password ``${NAME}`` is that variable of the environment.

    ``config`` makes the config of a service, given the path of its access list, None where it has none: TCP Fast Open is
    not in it, that is the stage's drop-in.
    """

    name: str
    title: str
    package: str
    folder: str
    binaries: t.Mapping[str, str]
    manual: str
    fast_open_in_help: bytes
    fast_open_mode: str
    fails_silently: bool
    methods: t.Sequence[str]
    insecure_methods: t.Sequence[str]
    key_bytes: t.Mapping[str, int]
    user_methods: t.Sequence[str]
    threads: bool
    skips_families: bool
    password_from_environment: bool
    config: t.Callable[[Service, t.Optional[str]], t.Dict[str, t.Any]]

    def command(self, binary: str, config: str) -> list[str]:
        """The command line of a unit, and of a client that measures."""
        return [binary, "-c", config]
