# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of one host that cannot listen side by side."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service

WILDCARDS = ("0.0.0.0", "::", "::0")


def same_port(host: str, services: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Two services that would listen on one address, port and protocol (workers of one instance may)."""
    seen: dict[tuple[str, int], list[tuple[set[str], str, str]]] = {}
    errors = []
    for service in services:
        name = f"{service['program']} {service['name']}"
        group = service["instance"] if service.get("reuse_port") else name
        addresses, port = set(_service.addresses(service)), _service.port(service)
        for protocol in _service.protocols(service):
            for others, other_group, other in seen.setdefault((protocol, port), []):
                overlap = addresses & others or addresses & set(WILDCARDS) or others & set(WILDCARDS)
                if overlap and not (service.get("reuse_port") and other_group == group):
                    errors.append(f"{host}: {other} and {name} both want port {port}/{protocol}: give one another port")
            seen[(protocol, port)].append((addresses, group, name))
    return errors
