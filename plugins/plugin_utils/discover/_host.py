# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one host: its rows, and its file."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._files import VARIABLES, File, content
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._instances import Adopted, Row
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import whole_unit

Lists = dict[str, list[dict[str, t.Any]]]
"""Instances by variable."""


@dataclasses.dataclass
class Host:
    """One host that was looked at.

    ``state`` of its file: nothing (there is nothing to write), new, same, kept (says otherwise, and is left), replaced,
    blocked, or failed once it could not be written. ``why`` goes with kept, blocked and failed. ``after`` is what the file
    is to hold, ``by_hand`` what an operator has to add elsewhere. ``listed`` are units that the inventory has already.
    """

    name: str
    rows: list[Row]
    file: File
    state: str = "nothing"
    why: str = ""
    after: str = ""
    lists: Lists = dataclasses.field(default_factory=dict)
    by_hand: Lists = dataclasses.field(default_factory=dict)
    listed: frozenset[str] = frozenset()

    @property
    def writes(self) -> bool:
        """Whether its file is to be written."""
        return self.state in ("new", "replaced")


def decide(
    name: str, adopted: Adopted, file: File, listed: t.Mapping[str, t.Optional[list[dict[str, t.Any]]]], overwrite: bool
) -> Host:
    """What is to be done. ``listed`` are the instances that the inventory has by side, None where they cannot be read."""
    units = (str(one["unit"]) for entries in listed.values() for one in entries or () if "unit" in one)
    host = Host(name, adopted.rows, file, listed=frozenset(map(whole_unit, units)))
    for side, variable in VARIABLES.items():
        instances, before, there = adopted.instances[side], file.lists.get(variable, []), listed.get(side, [])
        if there is None or (there and there != before):
            missing = [one for one in instances if whole_unit(str(one["unit"])) not in host.listed]
            host.by_hand.update({variable: missing} if missing else {})
            host.lists.update({variable: before} if before else {})
        elif instances:
            host.lists[variable] = list(instances)
    found = any(adopted.instances.values())
    if file.blocked:
        host.state, host.why = ("blocked", file.blocked) if host.lists else ("nothing", "")
        host.by_hand.update(host.lists)
        host.lists = {}
    elif host.lists and file.before is None:
        host.state = "new"
    elif _ordered(host.lists) == _ordered(file.lists):
        host.state = "same" if file.lists else "nothing"
    elif found and host.lists and overwrite:
        host.state = "replaced"
    else:
        host.state, host.why = "kept", _differences(file.lists, host.lists)
    host.after = content(host.lists) if host.writes else ""
    return host


def _ordered(lists: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> dict[str, list[t.Any]]:
    return {name: sorted(entries, key=lambda one: str(one["unit"])) for name, entries in lists.items()}


def _differences(before: t.Mapping[str, t.Sequence[t.Any]], after: t.Mapping[str, t.Sequence[t.Any]]) -> str:
    def units(lists: t.Mapping[str, t.Sequence[t.Any]]) -> set[str]:
        return {str(one["unit"]) for entries in lists.values() for one in entries}

    lacks, extra = sorted(units(after) - units(before)), sorted(units(before) - units(after))
    said = [f"lacks {', '.join(lacks)}"] if lacks else []
    said += [f"names {', '.join(extra)}, which was not found"] if extra else []
    return "; ".join(said) or "names other servers than were found"
