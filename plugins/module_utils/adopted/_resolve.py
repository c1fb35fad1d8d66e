# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What adopted instances, names of units, are by now; most hosts adopt nothing, and do not read the code for it."""

from __future__ import annotations

import typing as t

SPEC: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str", "required": True},
        "unit": {"type": "str", "required": True},
        "port": {"type": "int"},
        "server_host": {"type": "str"},
        "server_hosts": {"type": "dict", "default": {}},
    },
}

Instance = t.Mapping[str, t.Any]
Service = dict[str, t.Any]


class Adopted(t.NamedTuple):
    """``services`` as in SERVICE_SPEC with their secrets, and with ``unit``, the unit's real Id; a client of several
    servers is one a server. ``fast_open_mode`` is in those that can have no other: ``listener`` for any program,
    ``own`` for a server that has fast_open by its own config. ``executable`` is the file that a client runs.

    ``reasons`` say which instances are none of them, and why. ``own`` are the units that have fast_open by their own config,
    among the services or not.
    """

    services: list[Service]
    reasons: list[str]
    own: list[str]


def resolve(side: str, instances: t.Optional[t.Sequence[Instance]]) -> Adopted:
    """What these instances of a side are by now. Never raises: the way down has to go on without them."""
    if not instances:
        return Adopted([], [], [])
    from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _services

    return _services.read(side, instances)
