# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""shadowsocks-rust (1.25): ssserver and sslocal, one process a unit, a thread a processor."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import (
    Implementation,
    Service,
)

_PROTOCOLS = {"ss-local": "socks", "ss-redir": "redir", "ss-tunnel": "tunnel"}


def config(service: Service, acl: t.Optional[str]) -> dict[str, t.Any]:
    """The config in the keys of shadowsocks-service/src/config.rs; it ignores unknown ones silently.

    It has two forms, and only that with lists has users of a server and the end of a tunnel, so that is always written.
    Each entry says its mode: a client's would not take it from above. ``local_address`` is never a server's.
    """
    server = service["program"] == "ss-server"
    mode = service.get("mode") or "tcp_only"
    keys = ("server_port", "method", "password", "users", "plugin", "plugin_opts")
    told = {"mode": mode, **{key: service[key] for key in keys if service.get(key) is not None}}
    found: dict[str, t.Any] = {
        "servers": [{"server": address, **told} for address in service["server"]],
        **({} if server else {"locals": [_local(service, mode)]}),
        "timeout": service.get("timeout_seconds") or 300,
    }
    if len(service["server"]) > 1:
        found["ipv6_only"] = True  # else '::' takes the port of 0.0.0.0 as well
    if service.get("ipv6_first"):
        found["ipv6_first"] = True
    if service.get("nameserver") is not None:
        found["dns"] = service["nameserver"]
    if service.get("workers") is not None:
        found["runtime"] = {"worker_count": service["workers"]}
    if acl is not None:
        found["acl"] = acl
    return found


def _local(service: Service, mode: str) -> dict[str, t.Any]:
    """What a client opens. TCP is redirected (REDIRECT) and UDP taken by TPROXY, as by ss-redir."""
    local: dict[str, t.Any] = {
        "local_address": service["local_address"],
        "local_port": service["local_port"],
        "mode": mode,
        "protocol": _PROTOCOLS[service["program"]],
    }
    if service["program"] == "ss-redir":
        local.update(tcp_redir="redirect", udp_redir="tproxy")
    if service.get("tunnel_address") is not None:
        host, _colon, port = service["tunnel_address"].rpartition(":")
        local.update(forward_address=host.strip("[]"), forward_port=int(port))
    return local


RUST = Implementation(
    name="rust",
    title="shadowsocks-rust",
    package="shadowsocks-rust",
    folder="/usr/local/bin",
    binaries={"ss-server": "ssserver", **dict.fromkeys(_PROTOCOLS, "sslocal")},
    manual="https://github.com/shadowsocks/shadowsocks-rust",
    fast_open_in_help=b"--tcp-fast-open",  # --fast-open is an alias of it that no help names (src/service/server.rs)
    # A flag makes ssserver wait up to 500 ms for a client's data towards origins, and every connection fails without
    # kernel bit 0x1, while it runs on.
    fast_open_mode="listener",
    fails_silently=True,
    # What the features aead-cipher and aead-cipher-2022 have, which are in every build of the default features.
    methods=(
        "2022-blake3-aes-128-gcm",
        "2022-blake3-aes-256-gcm",
        "2022-blake3-chacha20-poly1305",
        "aes-128-gcm",
        "aes-256-gcm",
        "chacha20-ietf-poly1305",
    ),
    insecure_methods=(),
    key_bytes={
        "2022-blake3-aes-128-gcm": 16,
        "2022-blake3-aes-256-gcm": 32,
        "2022-blake3-chacha20-poly1305": 32,
    },
    user_methods=(
        "2022-blake3-aes-128-gcm",
        "2022-blake3-aes-256-gcm",
    ),  # method_support_eih, shadowsocks/src/config.rs
    threads=True,
    skips_families=False,
    password_from_environment=True,
    config=config,
)
