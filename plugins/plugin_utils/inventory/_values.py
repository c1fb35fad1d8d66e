# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values: what an operator may write for a variable or a key, read as Ansible itself reads it, or refused.

Each kind has ``type`` (Ansible's name of it), ``allowed`` (the range or form, for messages and documentation) and
``read(value)``, which gives the typed value or raises Wrong with what is wrong and the remedy. A value may come from YAML,
from INI or ``-e`` as text, from a survey, out of a vault. No message of a secret kind shows the value.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import re
import typing as t
from collections.abc import Mapping

from ansible.module_utils.common.validation import check_type_float, check_type_int, check_type_path
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.vault import VaultHelper
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _near

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # lone surrogates are no text


class Wrong(Exception):
    """A value cannot be what it stands for; the message says why and what to do, and holds no secret."""


class Kind(t.Protocol):
    """What all kinds have."""

    type: str

    @property
    def allowed(self) -> str:
        """The range or form, in words."""

    def read(self, value: t.Any) -> t.Any:
        """The typed value. Raises Wrong."""


def read(kind: Kind, value: t.Any) -> t.Any:
    """The value as the kind reads it. Raises Wrong, which shows nothing that comes out of a vault, be it a secret or not."""
    try:
        return kind.read(value)
    except Wrong:
        if isinstance(value, str) and not value.strip():
            raise Wrong("is empty: give it a value, or leave it out") from None
        if _vaulted(value) and not getattr(kind, "secret", False):
            raise Wrong(f"what the vault holds for it cannot be used; it must be {kind.allowed}") from None
        raise


def shown(value: t.Any) -> str:
    """A value in a message: as Python writes it, short, without line ends; one out of a vault is not shown."""
    if _vaulted(value):
        return "what the vault holds"
    try:
        text = str(value) if isinstance(value, datetime.date) else repr(str(value) if isinstance(value, str) else value)
    except ValueError:  # a number of more digits than Python writes, say
        return "what is given"
    text = _CONTROL.sub(" ", text)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclasses.dataclass(frozen=True)
class Text:
    """A text of one line. ``form`` is a regular expression for the whole of it, ``words`` say the same.

    ``optional``: an empty text stands for none.
    """

    form: str = r".+"
    words: str = "text of one line"
    secret: bool = False
    optional: bool = False
    type: str = "str"

    @property
    def allowed(self) -> str:
        """The form in words."""
        return self.words

    def read(self, value: t.Any) -> str:
        """The text as plain str."""
        if self.optional and value == "":
            return ""
        text = self._text(value)
        if not re.fullmatch(self.form, text):
            raise Wrong(f"{self._shown(text)}is not {self.words}")
        return text

    def _text(self, value: t.Any) -> str:
        if isinstance(value, (Mapping, list, tuple, set)):
            raise Wrong(f"is not {self.words}, but a {'mapping' if isinstance(value, Mapping) else 'list'}")
        if not isinstance(value, str):
            # What was typed is lost: 0123456 is octal, 1e5 a float, 2024-01-01 a date, no a boolean (YAML 1.1).
            read = f"{shown(value)} " if not self.secret else ""
            raise Wrong(f"{read}must be text, but was read as {_kind_of(value)}: quote it")
        text = str(value)
        if not text.strip():
            raise Wrong("is empty: give it a value, or leave it out")
        if text != text.strip():
            raise Wrong(f"{self._shown(text)}has blanks or a line end around it: take them away")
        if _CONTROL.search(text):
            raise Wrong(f"{self._shown(text)}holds a line end or a control character: write it on one line")
        return text

    def _shown(self, text: str) -> str:
        return "" if self.secret else f"{shown(text)} "


@dataclasses.dataclass(frozen=True)
class Path(Text):
    """A path on the controller, read as Ansible's own are: ~ and variables of the environment are replaced."""

    def read(self, value: t.Any) -> str:
        """The path."""
        return check_type_path(super().read(value))


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of a few words."""

    choices: tuple[str, ...]
    type: str = "str"

    @property
    def allowed(self) -> str:
        """The words."""
        return ", ".join(self.choices)

    def read(self, value: t.Any) -> str:
        """The word."""
        text = Text(words=f"one of {self.allowed}").read(value)
        if text not in self.choices:
            raise Wrong(f"{shown(text)} is not one of {self.allowed}{_near.hint(text, self.choices)}")
        return text


@dataclasses.dataclass(frozen=True)
class Boolean:
    """A boolean as Ansible reads it: true, yes, on, 1, as YAML or as text."""

    type: str = "bool"
    allowed: str = "true or false"

    def read(self, value: t.Any) -> bool:
        """The boolean."""
        try:
            return boolean(value, strict=True)
        except TypeError:
            raise Wrong(f"{shown(value)} is not true or false") from None


@dataclasses.dataclass(frozen=True)
class Integer:
    """A whole number in a range, as a number or as text."""

    least: int
    most: int
    also: tuple[int, ...] = ()
    type: str = "int"

    @property
    def allowed(self) -> str:
        """The range."""
        more = "".join(f"{value} or " for value in self.also)
        return f"{more}a whole number from {self.least} to {self.most}"

    def read(self, value: t.Any) -> int:
        """The number."""
        try:
            number = check_type_int(_number(value))
        except (TypeError, ValueError, ArithmeticError):
            raise Wrong(f"{shown(value)} is not {self.allowed}") from None
        if not (self.least <= number <= self.most or number in self.also):
            raise Wrong(f"{shown(value)} is not {self.allowed}")
        return number


@dataclasses.dataclass(frozen=True)
class Number:
    """A number in a range, as a number or as text."""

    least: float
    most: float
    unit: str = ""
    type: str = "float"

    @property
    def allowed(self) -> str:
        """The range."""
        return f"a number from {self.least:g} to {self.most:g}{' ' * bool(self.unit)}{self.unit}"

    def read(self, value: t.Any) -> float:
        """The number; infinite and undefined ones are none."""
        try:
            number = check_type_float(_number(value))
        except (TypeError, ValueError, ArithmeticError):
            raise Wrong(f"{shown(value)} is not {self.allowed}") from None
        if not math.isfinite(number) or not self.least <= number <= self.most:
            raise Wrong(f"{shown(value)} is not {self.allowed}")
        return number


def _number(value: t.Any) -> t.Any:
    """The value, if it could be a number at all: a boolean is none, although Python says so. Raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError
    return str(value) if isinstance(value, str) else value


def _vaulted(value: t.Any) -> bool:
    return VaultHelper.get_ciphertext(value, with_tags=False) is not None


def _kind_of(value: t.Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, datetime.date):
        return "a date"
    return "a number" if isinstance(value, (int, float)) else "no text"
