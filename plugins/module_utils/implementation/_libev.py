# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""shadowsocks-libev, in C: one binary a program, one process a unit."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import (
    Implementation,
    Service,
)


def config(service: Service, acl: t.Optional[str]) -> dict[str, t.Any]:
    """The config in the keys of src/jconf.c; it ignores unknown ones silently."""
    server = service["server"]
    found: dict[str, t.Any] = {
        "server": server if len(server) > 1 else server[0],
        "server_port": service["server_port"],
        "method": service["method"],
        "mode": service.get("mode") or "tcp_only",
        "timeout": service.get("timeout_seconds") or 300,
    }
    for key in (
        "password",
        "key",
        "local_address",
        "local_port",
        "tunnel_address",
        "plugin",
        "plugin_opts",
        "nameserver",
    ):
        if service.get(key) is not None:
            found[key] = service[key]
    if service.get("ipv6_first"):
        found["ipv6_first"] = True
    if service.get("reuse_port"):
        found["reuse_port"] = True
    if acl is not None:
        found["acl"] = acl
    return found


LIBEV = Implementation(
    name="libev",
    title="shadowsocks-libev",
    package="shadowsocks-libev",
    folder="/usr/bin",
    binaries={program: program for program in ("ss-server", "ss-local", "ss-redir", "ss-tunnel")},
    manual="man:{}(1)",
    fast_open_in_help=b"--fast-open",
    fast_open_mode="flag",
    fails_silently=False,
    # src/aead.c, supported_aead_ciphers
    methods=(
        "aes-128-gcm",
        "aes-192-gcm",
        "aes-256-gcm",
        "chacha20-ietf-poly1305",
        "xchacha20-ietf-poly1305",
    ),
    # src/stream.c
    insecure_methods=(
        "rc4-md5",
        "aes-128-cfb",
        "aes-192-cfb",
        "aes-256-cfb",
        "aes-128-ctr",
        "aes-192-ctr",
        "aes-256-ctr",
        "bf-cfb",
        "camellia-128-cfb",
        "camellia-192-cfb",
        "camellia-256-cfb",
        "cast5-cfb",
        "des-cfb",
        "idea-cfb",
        "rc2-cfb",
        "seed-cfb",
        "salsa20",
        "chacha20",
        "chacha20-ietf",
    ),
    key_bytes={},
    user_methods=(),
    threads=False,
    skips_families=True,
    password_from_environment=False,
    config=config,
)
