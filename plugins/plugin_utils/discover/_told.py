# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, in an operator's words."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._files import as_yaml
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._host import Host
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._instances import Row
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import is_loopback

COLUMNS = ("host", "side", "unit", "program", "port", "servers", "instance")
LONGEST = 200
"""Characters of a text that comes from a host."""
LISTENING = "Other programs that listen; each can be rolled out as any TCP server, with unit and port:"
ROLLOUT = "ansible-playbook fastopen.shadowsocks.rollout --check"


def table(hosts: t.Sequence[Host], check: bool) -> list[str]:
    """A row a service, what is to be said of it below; then the file of the host. Hosts with nothing are in one line."""
    cells = [(host, row, [host.name, *_cells(host, row)]) for host in hosts for row in host.rows]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *(line for _host, _row, line in cells))]
    lines = [_joined(COLUMNS, widths)] if cells else []
    for host in hosts:
        for row, line in ((row, line) for owner, row, line in cells if owner is host):
            lines.append(_joined(line, widths))
            lines += [f"    {clean(note)}" for note in row.notes]
        lines += [f"    {said}" for said in [_file(host, check)] if said]
    empty = [host.name for host in hosts if not host.rows]
    return lines + ([f"No Shadowsocks of others runs on: {', '.join(empty)}"] if empty else [])


def ours(found: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """What this collection deployed."""
    return [
        f"{host}: deployed by this collection: {', '.join(one['ours'])}" for host, one in found.items() if one["ours"]
    ]


def listening(found: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Other listeners that clients elsewhere can reach, each once with its hosts."""
    hosts: dict[str, list[str]] = {}
    for host, one in found.items():
        for listener in one["listeners"]:
            if not is_loopback(listener["address"]):
                unit = f" ({listener['unit']})" if listener["unit"] else ""
                text = f"{listener['program'] or 'unknown'} {listener['port']}{unit}"
                hosts.setdefault(clean(text), []).append(host)
    lines = [f"  {text}: {', '.join(dict.fromkeys(names))}" for text, names in sorted(hosts.items())]
    return [LISTENING, *lines] if lines else []


def by_hand(hosts: t.Sequence[Host]) -> list[str]:
    """What could not be written, ready to be added to the variables that a host has."""
    lines = []
    for host in hosts:
        if host.by_hand:
            lines += [f"By hand, into the variables of {host.name}:", *block(host.by_hand)]
    return lines


def groups(missing: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Hosts to add to groups, as a piece of an inventory."""
    if not missing:
        return []
    children = {group: {"hosts": {host: {} for host in hosts}} for group, hosts in missing.items()}
    return ["To add to the inventory, for the playbooks read these groups:", *block({"all": {"children": children}})]


def without_look(looks: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Hosts that nothing is known of, and why."""
    lines = []
    for host, look in looks.items():
        lost = "unreachable: " if look.get("unreachable") else ""
        lines.append(f"{host}: {lost}{clean(look.get('msg') or 'was not looked at')}")
    return lines


def first(
    hosts: t.Sequence[Host], missing: t.Mapping[str, t.Sequence[str]], unread: str, probed: t.Collection[str]
) -> list[str]:
    """What is to be done before a rollout. ``unread`` is a folder that Ansible does not read with this inventory, ``probed``
    are the hosts with a rollout_probe_url."""
    found = [f"add the instances above to the variables of {host.name}" for host in hosts if host.by_hand]
    if missing:
        found.append("add the hosts above to their groups")
    if unread and any(host.lists for host in hosts):
        found.append(
            f"with this inventory Ansible does not read {unread}: it reads host_vars beside an inventory on disk"
        )
    clients = [host.name for host in hosts if any(row.name and row.side == "client" for row in host.rows)]
    if not set(clients) <= set(probed):
        found.append("set rollout_probe_url: an http URL that must answer through every client")
    return found


def last(before: t.Sequence[str], unwritten: bool, adopted: bool) -> list[str]:
    """What stands in the way of a rollout, and the next command."""
    if unwritten:
        return ["Nothing was written. Next: ansible-playbook fastopen.shadowsocks.discover"]
    if not adopted:
        return ["Nothing to adopt was found."]
    return (
        ["Before a rollout:", *(f"  - {one}" for one in before), f"Then: {ROLLOUT}"] if before else [f"Next: {ROLLOUT}"]
    )


def block(value: t.Any) -> list[str]:
    """YAML, indented."""
    return [f"  {line}" for line in as_yaml(value).splitlines()]


def clean(text: t.Any) -> str:
    """A text from a host on one line, without what a terminal would obey."""
    plain = "".join(one if one.isprintable() else " " for one in str(text))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."


def _cells(host: Host, row: Row) -> list[str]:
    name = "in the inventory" if row.unit in host.listed else "-"
    if row.name:
        how = "adopted as" if host.state in ("new", "same", "replaced") else "could be adopted as"
        if _by_hand(host, row):
            how = "could be adopted as"
        elif row.unit in host.listed:
            how = "in the inventory as"
        name = f"{how} {row.name}"
    port = "-" if row.port is None else str(row.port)
    return [clean(cell or "-") for cell in (row.side, row.unit, row.program, port, ", ".join(row.servers), name)]


def _by_hand(host: Host, row: Row) -> bool:
    return any(one["unit"] == row.unit for entries in host.by_hand.values() for one in entries)


def _file(host: Host, check: bool) -> str:
    done = "would be " if check else "was "
    return {
        "nothing": "",
        "new": f"{host.file.path} {done}written",
        "replaced": f"{host.file.path} {done}replaced",
        "same": f"{host.file.path} says so already",
        "kept": f"{host.file.path} is left as it is: it {host.why}; discover_overwrite=true replaces it",
        "blocked": f"no file was written: {host.why}",
        "failed": f"{host.file.path} cannot be written: {host.why}",
    }[host.state]


def _joined(cells: t.Sequence[str], widths: t.Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(cells, widths)).rstrip()
