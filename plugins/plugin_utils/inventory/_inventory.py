# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of hosts, templated one by one when they are read: what nobody asks for cannot fail."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleError

Template = t.Callable[[t.Any], t.Any]
"""Evaluates the templates in a value; raises AnsibleError."""


class Unreadable(Exception):
    """A variable cannot be evaluated: something in it is undefined, or its vault cannot be opened. No secret is in it."""


class Variables:
    """The variables of one host. ``raw`` are as they were written, templates unevaluated."""

    def __init__(self, host: str, raw: t.Mapping[str, t.Any], template: Template = lambda value: value) -> None:
        self.host = host
        self._raw = raw
        self._template = template

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def __iter__(self) -> t.Iterator[str]:
        return iter(str(name) for name in self._raw)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """The value without any template or lazy container in it. Raises Unreadable."""
        return self._evaluate(self._raw[name]) if name in self._raw else default

    def parts(self, name: str) -> t.Any:
        """Like get, but of a list whose values cannot all be evaluated, each that cannot is an Unreadable in its place."""
        try:
            return self.get(name)
        except Unreadable:
            raw = self._raw.get(name)
            if not isinstance(raw, Sequence) or isinstance(raw, (str, bytes)):
                raise
            return [self._part(entry) for entry in raw]

    def find(self, name: str, key: str, value: str) -> tuple[t.Optional[t.Any], list[str]]:
        """The entry of a list whose ``key`` has this value, and the values that there are.

        Only the entry that is found is evaluated as a whole. Raises Unreadable for that one, or for the list itself.
        """
        raw = self._raw.get(name, [])
        if not isinstance(raw, Sequence) or isinstance(raw, (str, bytes)):
            raw = self._evaluate(raw)
        known = []
        for entry in raw if isinstance(raw, Sequence) and not isinstance(raw, (str, bytes)) else []:
            try:
                mapping = entry if isinstance(entry, Mapping) else self._evaluate(entry)
                has = self._evaluate(mapping[key])
            except (Unreadable, KeyError, TypeError):
                continue
            known.append(str(has))
            if has == value:
                return self._evaluate(entry), known
        return None, known

    def picked(self, name: str, keys: t.Collection[str]) -> list[dict[str, t.Any]]:
        """Of each mapping in a list these keys; no other is evaluated, and what cannot be read is left out."""
        try:
            raw = self._raw.get(name, [])
            entries = raw if isinstance(raw, Sequence) and not isinstance(raw, (str, bytes)) else self._evaluate(raw)
        except Unreadable:
            return []
        found = []
        for entry in entries if isinstance(entries, Sequence) and not isinstance(entries, (str, bytes)) else ():
            mapping = entry if isinstance(entry, Mapping) else {}
            part: dict[str, t.Any] = {}
            for key in (key for key in keys if key in mapping):
                with contextlib.suppress(Unreadable):
                    part[key] = self._evaluate(mapping[key])
            found.append(part)
        return found

    def _part(self, entry: t.Any) -> t.Any:
        part: dict[str, t.Any] = {}
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            try:
                part.update(self._evaluate({key: value}))
            except Unreadable as error:
                part[str(key)] = error
        try:
            return part or self._evaluate(entry)
        except Unreadable as error:
            return error

    def _evaluate(self, value: t.Any) -> t.Any:
        try:
            return plain(self._template(value))
        except AnsibleError as error:
            raise Unreadable(f"cannot be read: {error.message}") from error


class Closed(Variables):
    """A host of which no variable can be had: a vaulted file of its group is of another id, say."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(host, {})
        self._why = why

    def __contains__(self, name: str) -> bool:
        return True

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Raises Unreadable."""
        raise Unreadable(f"cannot be read: {self._why}")

    def find(self, name: str, key: str, value: str) -> tuple[t.Optional[t.Any], list[str]]:
        """Raises Unreadable."""
        return self.get(name)


Lookup = t.Callable[[str], t.Optional[Variables]]
"""Gives an inventory host's variables by its name, or None where there is no such host."""


def plain(value: t.Any) -> t.Any:
    """Lists and dicts without Ansible's lazy containers, every template in them evaluated."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(item) for item in value]
    return value


def reader(hostvars: t.Any, template: t.Callable[[t.Mapping[str, t.Any]], Template]) -> Lookup:
    """A Lookup over Ansible's hostvars. ``template`` makes the evaluation with the variables of one host."""
    known: dict[str, t.Optional[Variables]] = {}

    def lookup(name: str) -> t.Optional[Variables]:
        if name not in known:
            known[name] = None
            if name in hostvars:
                try:
                    raw = hostvars.raw_get(name)
                    # Ansible leaves hostvars out of what one host sees of another.
                    known[name] = Variables(name, raw, template({"hostvars": hostvars, **raw}))
                except AnsibleError as error:
                    known[name] = Closed(name, error.message)
        return known[name]

    return lookup
