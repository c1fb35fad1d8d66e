# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door for every input: all variables that a role or playbook reads, of one host, checked before it is touched."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _fleet, _near, _ports, _variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import (
    Lookup,
    Unreadable,
    Variables,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._lists import Listing
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong, read

PLUGIN = "behind a plugin TCP Fast Open covers only the loopback hop to it, not the path to the other side"
KIN = (("ss_server", "ss_client"), ("rollout", "rollback", "discover", "audit", "capture", "report", "status"))
"""Roles and playbooks that are taken for one another."""
UNMEASURED = (
    "rollout_probe_requests is 0: steps are proven, but nothing is measured and nobody judges whether they harm"
)

GROUPS = ("shadowsocks_servers", "shadowsocks_clients", "canary")
"""The groups of the inventory that the playbooks read."""
SCOPES = {
    "send": (
        "shadowsocks_clients",
        "takes clients back, and no host of this run is one: all takes servers back as well, accept throws their kill switch",
    ),
    "accept": (
        "shadowsocks_servers",
        "is the kill switch of servers, and no host of this run is one: send takes clients back",
    ),
}
"""By rollback_scope the group that it is for, where it is for one, and what is said where nobody is in that."""


@dataclasses.dataclass
class Report:
    """``variables``: the typed values, defaults filled in; no secret and no instance is among them. ``errors`` are lines."""

    variables: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    errors: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def check(used_by: str, own: Variables, lookup: Lookup, sides: t.Collection[str]) -> Report:
    """What a host's variables come to for this role or playbook. ``sides``: which instances count, server, client."""
    report = Report()
    raw: dict[str, t.Any] = {}
    for variable in _variables.variables(used_by):
        raw[variable.name] = _read(variable, own, report)
    report.errors += _mistyped(used_by, own)
    if used_by == "rollout":
        report.errors += _unseen(own, lookup(own.host), sides)
    services: list[dict[str, t.Any]] = []
    for side in (side for side in ("server", "client") if side in sides):
        instances = raw.get(f"ss_{side}_instances")
        if instances is None:
            continue
        gone = report.variables.get(f"ss_{side}_state") == "absent"
        try:
            found: t.Sequence[dict[str, t.Any]] = _fleet.side(side, own, instances, lookup, gone).services
        except _fleet.FleetError as error:
            report.errors += error.errors
            found = error.services
        services += found
        report.warnings += [
            f"{own.host}: {name}: {PLUGIN}" for name in {one["instance"] for one in found if one.get("plugin")}
        ]
    report.errors += _ports.same_port(own.host, services)
    report.errors += [f"{own.host}: {line}" for line in _relations(report.variables, raw, sides)]
    if report.variables.get("rollout_probe_requests") == 0:
        report.warnings.append(UNMEASURED)
    return report


def gathered(used_by: str, reports: t.Mapping[str, Report]) -> list[str]:
    """The errors of all hosts, each once with its hosts, and decisions of the run about which they disagree."""
    told: dict[str, list[str]] = {}
    for error in (error for report in reports.values() for error in report.errors):
        host, _colon, message = error.partition(": ")
        told.setdefault(message, []).append(host)
    errors = [f"{_few(list(dict.fromkeys(hosts)), 10)}: {message}" for message, hosts in told.items()]
    for variable in _variables.variables(used_by):
        if variable.run and variable.name not in _variables.BY_HOST.get(used_by, ()):
            said: dict[str, list[str]] = {}
            for host, report in reports.items():
                if variable.name in report.variables:
                    said.setdefault(repr(report.variables[variable.name]), []).append(host)
            if len(said) > 1:
                differ = _few([f"{value} on {_few(hosts)}" for value, hosts in said.items()], joint="; ")
                errors.append(f"{variable.name}: a run has one value for all its hosts, not {differ}: set it for all")
    return errors


def own_errors(used_by: str, errors: t.Iterable[str]) -> list[str]:
    """Those about a variable of which each host has one of its own."""
    by_host = _variables.BY_HOST.get(used_by, ())
    own = {one.name for one in _variables.variables(used_by) if not one.run or one.name in by_host}
    return [error for error in errors if error.partition(": ")[2].partition(": ")[0] in own]


def secret_errors(used_by: str, hosts: t.Collection[str], lookup: Lookup) -> list[str]:
    """Decisions of the run that are secret, which no report holds, and about which the hosts disagree."""
    errors = []
    for variable in _variables.variables(used_by):
        if variable.run and variable.secret and len({_secret(variable, lookup(host)) for host in hosts}) > 1:
            errors.append(f"{variable.name}: a run has one value for all its hosts, and theirs differ: set it for all")
    return errors


def _secret(variable: _variables.Variable, own: t.Optional[Variables]) -> str:
    try:
        return str(own.get(variable.name, variable.default) if own else variable.default)
    except Unreadable as error:
        return str(error)


def group_errors(groups: t.Collection[str]) -> list[str]:
    """Groups that are missing while one of nearly the same name is there: whoever is in that one would be left out."""
    found = []
    for group in sorted(set(GROUPS) - set(groups)):
        near = sorted(name for name in groups if _near.mistyped(name, GROUPS) == group)
        found += [f"group {name}: is not read; did you mean {group}?" for name in near]
    return found


def scope_errors(
    scopes: t.Iterable[t.Any], hosts: t.Iterable[str], groups: t.Mapping[str, t.Collection[str]]
) -> list[str]:
    """A way back of a side that none of these hosts has: it would do nothing, and end as if all of them were plain."""
    return [
        f"rollback_scope: {scope} {SCOPES[scope][1]}"
        for scope in dict.fromkeys(scopes)
        if scope in SCOPES and not set(hosts) & set(groups.get(SCOPES[scope][0], ()))
    ]


def _few(words: list[str], most: int = 3, joint: str = ", ") -> str:
    return joint.join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _read(variable: _variables.Variable, own: Variables, report: Report) -> t.Any:
    """The typed value; None where it is wrong, which the report then says."""
    value = variable.default
    try:
        if variable.name in own:
            given = own.parts(variable.name) if isinstance(variable.kind, Listing) else own.get(variable.name)
            if given is not None:
                value = read(variable.kind, given)
            elif variable.default is not None:
                raise Wrong("is empty: give it a value, or leave it out")
    except (Wrong, Unreadable) as error:
        report.errors.append(f"{own.host}: {variable.name}: {error}")
        return None
    if not variable.secret and not isinstance(variable.kind, Listing):
        report.variables[variable.name] = value
    return value


def _mistyped(used_by: str, own: Variables) -> list[str]:
    """Variables that nobody reads and whose names are a slip away from one that is read: a safety may hang on it."""
    prefixes = tuple(f"{role}_" for role in _variables.USED[used_by])
    known = _variables.names()
    names = {one.name for one in _variables.variables(used_by)}
    read = {one.name: role for role, group in _variables.ROLES.items() for one in group if one.name in names}
    found = []
    for name in own:
        begins = name.lower().replace("-", "_").startswith(prefixes)
        near = _near.mistyped(name, known) if begins else None
        near = near or (None if name in known else _near.astray(name, read, KIN))
        if near:
            found.append(f"{own.host}: {name}: is no variable of this collection; did you mean {near}?")
    return found


def _unseen(own: Variables, elsewhere: t.Optional[Variables], sides: t.Collection[str]) -> list[str]:
    """Instances that only this play knows: the plan, which asks all hosts for witnesses, would do without them."""
    names = [f"ss_{side}_instances" for side in sides]
    return [
        f"{own.host}: {name}: is set for a playbook, where other hosts do not see it: set it in the inventory"
        for name in names
        if elsewhere is not None and name in own and name not in elsewhere
    ]


def _relations(values: t.Mapping[str, t.Any], raw: t.Mapping[str, t.Any], sides: t.Collection[str]) -> t.Iterator[str]:
    if values.get("shadowsocks_install") == "archive":
        yield from _archive(values)
    if values.get("tcp_fastopen_all_listeners") and values.get("tcp_fastopen_accept") is False:
        yield "tcp_fastopen_all_listeners: needs tcp_fastopen_accept, which is false"
    if "client" in sides and raw.get("ss_client_instances") and values.get("rollout_probe_url") == "":
        yield "rollout_probe_url: is not set: give an http URL that must answer through every client"
    if values.get("rollback_lift") and values.get("rollback_scope") != "accept":
        yield "rollback_lift: goes with rollback_scope=accept only"


def _archive(values: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What an installation from an archive needs; a value that is wrong by itself is told of elsewhere."""
    if values.get("shadowsocks_implementation") == "libev":
        yield (
            "shadowsocks_install: archive is for shadowsocks-rust, of shadowsocks-libev there is none: set"
            " shadowsocks_implementation: rust, or install a package"
        )
        return
    names = ("shadowsocks_archive_url", "shadowsocks_archive_checksum")
    told = {name: values[name] for name in names if name in values}
    yield from (f"{name}: is not set, and shadowsocks_install is archive" for name, one in told.items() if one is None)
    if all(told.get(name) for name in names):
        url, checksum = (set(told[name]) for name in names)
        for name, lacks in ((names[0], checksum - url), (names[1], url - checksum)):
            if lacks:
                yield f"{name}: has nothing for {', '.join(sorted(lacks))}, which the other one has"
