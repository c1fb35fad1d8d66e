# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server is reached by a host that is no client of it."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _lists, _values
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import (
    Lookup,
    Unreadable,
    Variables,
)


def targets(server: str, by: str, lookup: Lookup) -> list[dict[str, t.Any]]:
    """{host, port} of each instance that carries TCP itself, as a client on host ``by`` would have it; [] where that
    cannot be told, say since the server is managed through a tunnel."""
    own = lookup(server)
    try:
        raw = _lists.entries(own.get("ss_server_instances", [])) if own else []
        clients = [
            {"name": one["name"], "server": server, "server_instance": one["name"], "local_port": 1024 + at}
            for at, one in enumerate(raw)
            if one.get("state") != "absent" and one.get("mode") != "udp_only" and not one.get("plugin")
        ]
        services = _fleet.side("client", Variables(by, {}), clients, lookup).services
    except (_fleet.FleetError, _values.Wrong, Unreadable):
        return []
    return [{"host": service["server"][0], "port": service["server_port"]} for service in services]
