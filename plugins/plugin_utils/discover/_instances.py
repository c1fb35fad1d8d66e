# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a host runs to the instances that adopt it."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import whole_unit
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._match import INTERFACE, ITSELF, Fleet

SIDES = ("server", "client")

Instance = dict[str, t.Any]
"""``name`` and ``unit``, of clients ``server`` as well where that is known; others that an operator added."""
Service = t.Mapping[str, t.Any]
"""One of the ``services`` of tfo_discover."""

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,246}\.service")
"""What systemd takes for a unit's name (src/basic/unit-name.c); it goes into a file whose text Ansible evaluates."""
_NAME_MOST = 64


@dataclasses.dataclass
class Row:
    """One unit or process. ``name`` is empty where nothing adopts it, ``notes`` say why, or what must be known."""

    side: str
    unit: str
    program: str
    port: t.Optional[int]
    servers: list[str] = dataclasses.field(default_factory=list)
    name: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Adopted:
    """What comes of one host. ``instances`` by side, sorted by name."""

    rows: list[Row]
    instances: dict[str, list[Instance]]


def adopt(
    host: str,
    found: t.Mapping[str, t.Any],
    fleet: Fleet,
    servers: t.Collection[str],
    listed: t.Mapping[str, t.Sequence[Instance]],
    reached: t.Collection[str] = (),
) -> Adopted:
    """The rows and instances of a host, from what tfo_discover returned there.

    ``servers`` are the hosts with a server instance: only such a one is written as a client's server. ``listed`` are the
    instances that the inventory has by side; their names stay, and so does what an operator added to them,
    also other programs that run there. ``reached`` are the addresses that only its interfaces tell, see ``reached``.
    """
    by_unit: dict[str, list[Service]] = {}
    for service in found["services"]:
        by_unit.setdefault(service["unit"] or f"pid {service['pid']}", []).append(service)
    rows: list[Row] = []
    instances: dict[str, list[Instance]] = {side: [] for side in SIDES}
    uses: dict[str, str] = {}
    for unit in sorted(by_unit):
        row = _row(unit, by_unit[unit])
        server = _servers(host, by_unit[unit], found["listeners"], fleet, servers, row)
        rows.append(row)
        if not _against(by_unit[unit], row):
            uses[unit] = server
    for side in SIDES:
        there = {whole_unit(str(one["unit"])): one for one in listed.get(side, ()) if "unit" in one}
        fresh = [row for row in rows if row.unit in uses and row.side == side]
        taken = [str(one["name"]) for one in listed.get(side, ()) if "name" in one]
        names = _names([row.unit for row in fresh if "name" not in there.get(row.unit, {})], taken)
        for row in fresh:
            old = there.get(row.unit, {})
            row.name = str(old["name"]) if "name" in old else names[row.unit]
            new: Instance = {"name": row.name, "unit": row.unit}
            if side == "server" and len(reached) == 1:
                new["public_address"] = next(iter(reached))
            server = {"server": uses[row.unit]} if uses[row.unit] else {}
            instances[side].append({**new, **old, **server})
        others = {*by_unit, *(one["unit"] for one in found["listeners"])} - set(uses)
        instances[side] += [dict(there[unit]) for unit in others & set(there)]
        instances[side].sort(key=lambda one: str(one["name"]))
    return Adopted(rows, instances)


def reached(found: t.Mapping[str, t.Mapping[str, t.Any]], fleet: Fleet) -> dict[str, set[str]]:
    """By host the addresses at which clients reach it, and which nobody could tell without a look at its interfaces."""
    by_host: dict[str, set[str]] = {}
    for client, look in found.items():
        for address in {one["address"] for service in look["services"] for one in service["servers"]}:
            match = fleet.match(address, client)
            if match.host and match.by == INTERFACE:
                by_host.setdefault(match.host, set()).add(address)
    return by_host


def serves(found: t.Mapping[str, t.Any]) -> bool:
    """Whether a server runs there that can be adopted, or that this collection deployed."""
    rows = [(_row(service["unit"], [service]), service) for service in found["services"] if service["unit"]]
    adoptable = any(row.side == "server" and not _against([service], row) for row, service in rows)
    return adoptable or any(unit.startswith("ss-server@") for unit in found["ours"])


def base_name(unit: str) -> str:
    """A name for the instance of a unit: what stands behind the @ of a template's, else the unit's own."""
    stem = unit.removesuffix(".service")
    prefix, _at, behind = stem.partition("@")
    return _valid(behind) or _valid(prefix) or "service"


def _row(unit: str, services: t.Sequence[Service]) -> Row:
    sides = sorted({service["side"] for service in services})
    ports = sorted({service["port"] for service in services if service["port"] is not None})
    row = Row(
        sides[0] if len(sides) == 1 else "",
        unit,
        ", ".join(sorted({service["program"] for service in services})),
        ports[0] if len(ports) == 1 else None,
    )
    row.notes = list(dict.fromkeys(reason for service in services for reason in service["why"]))
    row.notes += [f"its processes listen on the ports {', '.join(map(str, ports))}"] if len(ports) > 1 else []
    return row


def _against(services: t.Sequence[Service], row: Row) -> bool:
    """Whether it cannot be adopted; the row gets the reason where the host itself gave none."""
    reason = ""
    if not all(service["adoptable"] for service in services):
        reason = "" if row.notes else "it cannot be adopted as it is"
    elif row.side not in SIDES:
        reason = "whether it is a server or a client is not known"
    elif not services[0]["unit"]:
        reason = "no unit of systemd runs it"
    elif not _UNIT.fullmatch(row.unit):
        reason = "its unit's name is none that systemd takes"
    else:
        return False
    row.notes += [reason] if reason and reason not in row.notes else []
    return True


def _servers(
    host: str,
    services: t.Sequence[Service],
    listeners: t.Sequence[t.Mapping[str, t.Any]],
    fleet: Fleet,
    known: t.Collection[str],
    row: Row,
) -> str:
    """The one inventory host that all its servers are, or nothing; the row is told what they are, and why not."""
    hosts = set()
    ends = {(one["address"], one["port"]): None for service in services for one in service["servers"]}
    for address, port in ends:
        shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        match = fleet.match(address, host)
        others = [one for one in listeners if one["port"] == port] if match.by == ITSELF else []
        row.servers.append(f"{match.host} ({shown})" if match.host and not others else shown)
        if others:
            row.notes.append(f"{shown} is {others[0]['program'] or 'something else'} on the host itself")
        elif match.candidates:
            row.notes.append(f"{shown} could be {', '.join(match.candidates)}: say server, or give one public_address")
        elif match.host and match.host not in known:
            row.notes.append(f"{shown} is {match.host} by {match.by}, which has no server instance")
        hosts.add(match.host if match.host in known and not others else None)
    (one,) = hosts if len(hosts) == 1 else (None,)
    if len(hosts) > 1:
        row.notes.append("its servers are not one host: none is written")
    return one or ""


def _names(units: t.Sequence[str], taken: t.Iterable[str]) -> dict[str, str]:
    """A name for each unit, all of them different: units that would have the same one get their whole name."""
    used = set(taken)
    wanted = {unit: base_name(unit) for unit in units}
    names = {}
    for unit in sorted(units):
        name = wanted[unit]
        if name in used or list(wanted.values()).count(name) > 1:
            name = _valid(unit.removesuffix(".service").replace("@", "-")) or "service"
        number, whole = 2, name
        while name in used:
            name = f"{whole[:_NAME_MOST - 4]}-{number}"
            number += 1
        used.add(name)
        names[unit] = name
    return names


def _valid(text: str) -> str:
    """As much of it as an instance's name may have; systemd's escapes are read."""
    plain = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)
    return re.sub(r"[^A-Za-z0-9_.-]", "-", plain).lstrip("_.-")[:_NAME_MOST].rstrip("-.")
