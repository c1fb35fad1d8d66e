# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists as an operator may write them: of sizes of waves, of instances; as YAML, or as the text of INI files and ``-e``."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Integer, Wrong, shown


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of waves or batches, as `serial` takes them: it reads 0, negatives and an empty list as 'all at once'."""

    type: str = "list"
    allowed: str = 'a list of whole numbers from 1 and percentages from "1%" to "100%", such as [1, "25%", "100%"]'

    def read(self, value: t.Any) -> list[t.Union[int, str]]:
        """The sizes, whole numbers and texts with '%'."""
        try:
            sizes = entries(value)
        except Wrong:
            raise Wrong(f"{shown(value)} is not {self.allowed}") from None
        if not sizes:
            raise Wrong(f"is empty: give {self.allowed}")
        return [self._size(size) for size in sizes]

    def _size(self, size: t.Any) -> t.Union[int, str]:
        share = re.fullmatch(r"([0-9]{1,3})%", size) if isinstance(size, str) else None
        if share:
            if 1 <= int(share[1]) <= 100:
                return f"{int(share[1])}%"
            raise Wrong(f"{shown(size)} is no share of a fleet: give {self.allowed}")
        try:
            return Integer(1, 1_000_000).read(size)
        except Wrong:
            raise Wrong(f"{shown(size)} is no size of a wave: give {self.allowed}") from None


@dataclasses.dataclass(frozen=True)
class Listing:
    """A list of mappings; what is in them is checked by whoever reads it."""

    type: str = "list"
    allowed: str = "a list of mappings"

    def read(self, value: t.Any) -> list[t.Any]:
        """The entries."""
        return list(entries(value))


def entries(value: t.Any) -> Sequence[t.Any]:
    """A list, also one written as JSON or as a Python literal, as INI files and ``-e KEY=VALUE`` bring it. Raises Wrong."""
    found = literal(str(value)) if isinstance(value, str) else value
    if isinstance(found, Sequence) and not isinstance(found, (str, bytes)):
        return found
    if isinstance(found, Mapping):
        raise Wrong("is not a list, but a mapping: begin each entry with a dash")
    if isinstance(value, str):
        raise Wrong("is not a list, but text that is neither JSON nor a Python literal")
    raise Wrong("is not a list")


def literal(text: str) -> t.Any:
    """What a text of JSON or Python stands for; None where it is neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
