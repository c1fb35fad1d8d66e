# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets travel apart from everything else.

AnsibleModule masks the values of secret options wherever they turn up in a result: with a password "123" every number
with 123 in it, with plugin options "server" the name of a side. So a module gets all secrets of its services as one
encoded text, whose value cannot turn up in anything else, and what it returns is free of them by construction.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t

KEYS = ("password", "key", "users", "plugin_opts")
SPEC: dict[str, t.Any] = {"secrets": {"type": "str", "no_log": True}}

Service = t.Mapping[str, t.Any]


class SecretsError(Exception):
    """Services and secrets do not belong together; the message says what to give instead."""


def part(services: t.Sequence[Service]) -> tuple[list[dict[str, t.Any]], str]:
    """The services without their secrets, and these as one text."""
    bare = [{key: value for key, value in service.items() if key not in KEYS} for service in services]
    secrets = [{key: service[key] for key in KEYS if key in service} for service in services]
    return bare, base64.b64encode(json.dumps(secrets).encode()).decode()


def join(services: t.Optional[t.Sequence[Service]], secrets: t.Optional[str]) -> list[dict[str, t.Any]]:
    """The services with their secrets again. Raises SecretsError."""
    try:
        parts = json.loads(base64.b64decode(secrets)) if secrets else []
        if len(parts) != len(services or []):
            raise ValueError
        return [{**service, **secret} for service, secret in zip(services or [], parts)]
    except (ValueError, TypeError):
        raise SecretsError(
            "services and secrets are filled in on the controller, out of instances: give those"
        ) from None


def config(text: t.Union[str, bytes, None]) -> dict[str, t.Any]:
    """The config in a file; {} where there is none that can be read."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def hidden(text: str, *configs: t.Mapping[str, t.Any]) -> str:
    """A text that somebody else's program wrote, with the secrets of its configs as stars.

    A plugin tells of its options one by one (SIP003: ``key=value;key=value``), so their values are hidden too.
    """
    found = [pair for one in configs for pair in _texts(one)]
    secrets = {value for key, value in found if key in KEYS}
    for options in [value for key, value in found if key == "plugin_opts"]:
        secrets |= {value for value in re.findall(r"=((?:\\.|[^;\\])+)", options) if len(value) > 3}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "********")
    return text


def _texts(config: t.Any) -> t.Iterator[tuple[str, str]]:
    """Every text of a config with its key, however deep: rust has servers and their users in lists."""
    for key, value in config.items() if isinstance(config, t.Mapping) else ():
        if isinstance(value, str):
            yield key, value
        for part in value if isinstance(value, list) else [value]:
            yield from _texts(part)
