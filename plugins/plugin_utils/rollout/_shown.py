# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report of a run words what tasks return."""

from __future__ import annotations

import typing as t

STATUS = "ansible-playbook fastopen.shadowsocks.status"
"""The command that tells how a run stands."""


def as_text(said: t.Any) -> str:
    """A message as one text, of a list a line each."""
    return "\n".join(map(str, said)) if isinstance(said, list) else str(said)


def visible(text: str) -> str:
    """The text with what a terminal would obey as an escape, for hosts have a say in it."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode("ascii") for one in text
    )


def addressed(hosts: t.Sequence[str], text: str) -> str:
    """``HOST, HOST: TEXT``, further lines indented; a text that begins with its host stays as it is."""
    indented = text.rstrip().replace("\n", "\n  ")
    named = ", ".join(hosts)
    return indented if indented.startswith(f"{named}: ") else f"{named}: {indented}"


def short_name(task: t.Any) -> str:
    """A task's action without its collection."""
    return task.action.rpartition(".")[2]
