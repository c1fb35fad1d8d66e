# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one entry of ss_server_instances or ss_client_instances may say, checked without touching a host."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

AEAD_METHODS = (
    "aes-128-gcm",
    "aes-192-gcm",
    "aes-256-gcm",
    "chacha20-ietf-poly1305",
    "xchacha20-ietf-poly1305",
)
"""AEAD ciphers of shadowsocks-libev (src/aead.c, supported_aead_ciphers)."""

STREAM_METHODS = (
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
)
"""Stream ciphers of shadowsocks-libev (src/stream.c): no integrity, so only with ss_*_allow_insecure_methods."""

MODES = ("tcp_only", "tcp_and_udp", "udp_only")
PROGRAMS = ("ss-local", "ss-redir", "ss-tunnel")

SERVER_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "method": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "address": {"type": "str"},
    "public_address": {"type": "str"},
    "mode": {"type": "str", "choices": list(MODES), "default": "tcp_only"},
    "workers": {"type": "int", "default": 1},
    "timeout_seconds": {"type": "int", "default": 300},
    "acl": {"type": "str"},
    "plugin": {"type": "str"},
    "plugin_opts": {"type": "str", "no_log": True},
    "nameserver": {"type": "str"},
}

CLIENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "server": {"type": "str", "required": True},
    "local_port": {"type": "int", "required": True},
    "server_instance": {"type": "str"},
    "server_port": {"type": "int"},
    "method": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "program": {"type": "str", "choices": list(PROGRAMS), "default": "ss-local"},
    "local_address": {"type": "str", "default": "127.0.0.1"},
    "mode": {"type": "str", "choices": list(MODES), "default": "tcp_only"},
    "timeout_seconds": {"type": "int", "default": 300},
    "tunnel_address": {"type": "str"},
    "plugin": {"type": "str"},
    "plugin_opts": {"type": "str", "no_log": True},
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TUNNEL = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^:\s]+):(\d+)")


def check(spec: dict[str, t.Any], raw: t.Any, *, insecure: bool = False) -> tuple[dict[str, t.Any], list[str]]:
    """One instance with its defaults filled in, and what is wrong with it (never showing a secret).

    ``spec`` is SERVER_SPEC or CLIENT_SPEC. Unknown keys are errors: shadowsocks-libev would ignore them silently.
    A key without a value counts as left out.
    """
    if not isinstance(raw, dict):
        return {}, ["is not a mapping with a name"]
    given = {key: value for key, value in raw.items() if value is not None}
    result = ArgumentSpecValidator(spec).validate(given)
    errors = [f"unknown key {e.msg}" if isinstance(e, UnsupportedError) else str(e.msg) for e in result.errors]
    errors += [
        f"{key} must be text, not a {'list' if isinstance(given[key], list) else 'mapping'}"
        for key, option in spec.items()
        if option["type"] == "str" and isinstance(given.get(key), (list, dict))
    ]
    errors += [
        f"{key} must be a number, not {given[key]!r}"
        for key, option in spec.items()
        if option["type"] == "int" and isinstance(given.get(key), bool)
    ]
    if errors:
        return given, errors
    instance = dict(result.validated_parameters)
    errors = _check_values(instance, insecure)
    errors += _check_server(instance) if spec is SERVER_SPEC else _check_client(instance)
    return instance, errors


def _check_values(instance: dict[str, t.Any], insecure: bool) -> list[str]:
    errors = []
    if not _NAME.fullmatch(instance["name"]):
        errors.append(
            f"name {instance['name']!r} must be letters, digits, '_', '.', '-': it becomes a systemd instance"
        )
    for key in ("port", "server_port", "local_port"):
        if instance.get(key) is not None and not 1 <= instance[key] <= 65535:
            errors.append(f"{key} {instance[key]} is not between 1 and 65535")
    method = instance.get("method")
    if method is not None and method not in AEAD_METHODS:
        if method not in STREAM_METHODS:
            errors.append(f"unknown method {method!r}, use one of {', '.join(AEAD_METHODS)}")
        elif not insecure:
            errors.append(f"method {method!r} has no integrity protection, use one of {', '.join(AEAD_METHODS)}")
    errors += [
        f"{key} is empty: give it a value, or leave it out"
        for key, value in instance.items()
        if isinstance(value, str) and not value.strip() and key != "name"
    ]
    if instance["timeout_seconds"] < 1:
        errors.append(f"timeout_seconds {instance['timeout_seconds']} is not positive")
    if instance.get("plugin_opts") is not None and instance.get("plugin") is None:
        errors.append("plugin_opts is given without plugin")
    return errors


def _check_server(instance: dict[str, t.Any]) -> list[str]:
    errors = []
    if not 1 <= instance["workers"] <= 64:
        errors.append(f"workers {instance['workers']} is not between 1 and 64")
    return errors


def _check_client(instance: dict[str, t.Any]) -> list[str]:
    errors = []
    outside = [key for key in ("server_port", "method", "password") if instance.get(key) is not None]
    if instance.get("server_instance") is not None and outside:
        errors.append(f"{', '.join(outside)} come(s) from server_instance {instance['server_instance']!r}: leave out")
    if instance.get("server_instance") is None and len(outside) < 3:
        missing = [key for key in ("server_port", "method", "password") if key not in outside]
        errors.append(
            f"name the server_instance of an inventory host, or give {', '.join(missing)} of an outside server"
        )
    tunnel = instance.get("tunnel_address")
    if instance["program"] == "ss-tunnel" and tunnel is None:
        errors.append("ss-tunnel needs tunnel_address (host:port)")
    if instance["program"] != "ss-tunnel" and tunnel is not None:
        errors.append(f"tunnel_address is for ss-tunnel, not for {instance['program']}")
    if tunnel is not None:
        parts = _TUNNEL.fullmatch(tunnel)
        if not parts or not 1 <= int(parts[2]) <= 65535:
            errors.append(f"tunnel_address {tunnel!r} is not host:port")
    return errors
