# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an implementation makes of an instance: its ciphers, the form of its passwords, its users and workers.

Nothing here shows a secret: messages say what a password must be, never what it is.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import Implementation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _lists
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Text, Wrong, read, shown

Mistake = tuple[str, str]
"""The key that is wrong, and the message."""


@dataclasses.dataclass(frozen=True)
class Users:
    """The users of one server, each with a key of its own."""

    type: str = "list"
    allowed: str = "a list of users, each with a name and a password"
    secret: bool = True

    def read(self, value: t.Any) -> list[dict[str, str]]:
        """The users."""
        users = [self._user(number, entry) for number, entry in enumerate(_lists.entries(value))]
        names = [user["name"] for user in users]
        twice = sorted({name for name in names if names.count(name) > 1})
        if not users or twice:
            raise Wrong(f"name {shown(twice[0])} is there twice" if twice else f"is empty: give {self.allowed}")
        return users

    def _user(self, number: int, entry: t.Any) -> dict[str, str]:
        if not isinstance(entry, Mapping) or set(entry) != {"name", "password"}:
            raise Wrong(f"entry {number} is not a mapping with name and password, and nothing else")
        try:
            name = read(Text(r"[A-Za-z0-9][A-Za-z0-9_.@-]*", "the name of a user"), entry["name"])
            return {"name": name, "password": read(Text(words="the password", secret=True), entry["password"])}
        except Wrong as error:
            raise Wrong(f"entry {number}: {error}") from None


def method(implementation: Implementation, name: t.Optional[str], as_shown: str, insecure: bool) -> list[Mistake]:
    """Whether the implementation has the cipher, and may use it."""
    if name is None or name in implementation.methods or (insecure and name in implementation.insecure_methods):
        return []
    use = f"use one of {', '.join(implementation.methods)}"
    if name in implementation.insecure_methods:
        return [("method", f"{as_shown} has no integrity protection: {use}")]
    others = [one.title for one in _implementations.BY_NAME.values() if name in (*one.methods, *one.insecure_methods)]
    if others:
        return [("method", f"{as_shown} is of {' and '.join(others)}, not of {implementation.title}: {use}")]
    return [("method", f"{as_shown} is unknown: {use}")]


def password(
    implementation: Implementation, name: t.Optional[str], text: t.Optional[str], of_user: bool
) -> list[Mistake]:
    """Whether a password is what the cipher needs. ``of_user``: it may be a client's, KEY:KEY of a server and its user."""
    if text is None:
        return []
    if implementation.password_from_environment and re.fullmatch(r"\$\{.*\}", text):
        return [
            ("password", f"${{…}} is a variable of the environment for {implementation.title}: take another password")
        ]
    length = implementation.key_bytes.get(name or "")
    if length is None:
        return []
    keys = text.split(":") if of_user and name in implementation.user_methods else [text]
    return [] if all(_is_key(key, length) for key in keys) else [("password", _must_be(name, length))]


def server(implementation: Implementation, instance: t.Mapping[str, t.Any]) -> list[Mistake]:
    """What a server's users and its other keys come to."""
    name, users = instance["method"], instance["users"]
    if users is None or name is None:
        return []
    if name not in implementation.user_methods:
        need = [
            f"{one.title} ({', '.join(one.user_methods)})"
            for one in _implementations.BY_NAME.values()
            if one.user_methods
        ]
        return [
            ("users", f"{implementation.title} has one password a server with {name}; several users need {need[0]}")
        ]
    length = implementation.key_bytes[name]
    wrong = [user["name"] for user in users if not _is_key(user["password"], length)]
    return [("users", f"the password of {', '.join(wrong)} {_must_be(name, length)}")] if wrong else []


def _is_key(text: str, length: int) -> bool:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(key) == length and base64.b64encode(key).decode() == text


def _must_be(name: t.Optional[str], length: int) -> str:
    return f"must be a key of {length} bytes in base64 for {name}: openssl rand -base64 {length}"
