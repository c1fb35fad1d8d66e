# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON5 (spec.json5.org) as shadowsocks-rust reads its config, by the crate json5.

That crate reads numbers of up to 128 bits.
"""

from __future__ import annotations

import re
import typing as t

_SPACES = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_BLANKS = re.compile(rf"(?:[{_SPACES}]|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r""""((?:[^"\\\n\r]|\\(?:\r\n|.))*)"|'((?:[^'\\\n\r]|\\(?:\r\n|.))*)'""", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})(?:(?<=[dD][89abAB]..)\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|x([0-9a-fA-F]{2})|0(?![0-9])"
    r"|(\r\n|[^ux0-9])|)",
    re.DOTALL,
)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LETTERS.update(dict.fromkeys(("\n", "\r", "\r\n", "\u2028", "\u2029"), ""))
_NAME = re.compile(r"(?:[\w$\u200c\u200d]|\\u[0-9a-fA-F]{4})+")
_NUMBER = re.compile(
    r"([+-]?)(?:0[xX]([0-9a-fA-F]{1,32})|(Infinity|NaN)|(?:0(?![0-9])|[1-9][0-9]{0,38}|(?=\.[0-9]))(\.[0-9]*)?([eE][+-]?[0-9]+)?)"
)
_WORD = re.compile(r"(true|false|null)(?![\w$])")
_WORDS = {"true": True, "false": False, "null": None}


class Object(t.NamedTuple):
    """Names and values in their order."""

    pairs: list[tuple[str, t.Any]]


class Json5Error(Exception):
    """It is none; the message has the place and never the text, which may be a password."""


class _Wrong(Exception):
    """What stands at ``at`` is none."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at


def parse(text: str) -> t.Any:
    """An Object, a list, a text, a number, a boolean or None. Raises Json5Error."""
    try:
        value, at = _value(text, _skip(text, 0))
        if at < len(text):
            raise _Wrong(at)
    except _Wrong as wrong:
        lines = re.split("\r\n|[\n\r\u2028\u2029]", text[: wrong.at])
        raise Json5Error(f"line {len(lines)}, column {len(lines[-1]) + 1}") from None
    except RecursionError:
        raise Json5Error("too many brackets within one another") from None
    return value


def _value(text: str, at: int) -> tuple[t.Any, int]:
    """A value and where what follows begins."""
    first = text[at : at + 1]
    if first == "{":
        return _collection(text, at, "}", _member, Object)
    if first == "[":
        return _collection(text, at, "]", _value, list)
    if first in ("'", '"'):
        return _string(text, at)
    word = _WORD.match(text, at)
    if word:
        return _WORDS[word[1]], _skip(text, word.end())
    found = _NUMBER.match(text, at)
    if not found:
        raise _Wrong(at)
    sign, digits, word_, fraction, exponent = found.groups()
    number: t.Any
    if digits is not None:
        number = int(f"{sign}{digits}", 16)
    elif word_ or fraction or exponent:
        number = float(found[0].replace("Infinity", "inf"))
    else:
        number = int(found[0])
    return number, _skip(text, found.end())


def _collection(
    text: str,
    at: int,
    end: str,
    read: t.Callable[[str, int], tuple[t.Any, int]],
    kind: t.Callable[[list[t.Any]], t.Any],
) -> tuple[t.Any, int]:
    found = []
    at = _skip(text, at + 1)
    while not text.startswith(end, at):
        value, at = read(text, at)
        found.append(value)
        at = at if text.startswith(end, at) else _expect(text, at, ",")
    return kind(found), _skip(text, at + 1)


def _member(text: str, at: int) -> tuple[tuple[str, t.Any], int]:
    if text[at : at + 1] in ("'", '"'):
        name, behind = _string(text, at)
    else:
        found = _NAME.match(text, at)
        name = _unescaped(found[0], at) if found else ""
        if not found or not _is_name(name):
            raise _Wrong(at)
        behind = _skip(text, found.end())
    value, behind = _value(text, _expect(text, behind, ":"))
    return (name, value), behind


def _is_name(name: str) -> bool:
    """An IdentifierName of ECMAScript 5.1, section 7.6, as near to it as Python's own names are."""
    plain = re.sub("[$\u200c\u200d]", "_", name)
    return plain.isidentifier() and name[0] not in "\u200c\u200d"


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if not found:
        raise _Wrong(at)
    return _unescaped(found[1] if found[2] is None else found[2], at), _skip(text, found.end())


def _unescaped(raw: str, at: int) -> str:
    def character(found: re.Match[str]) -> str:
        high, low, byte, letter = found.groups()
        if letter is not None:
            return _LETTERS.get(letter, letter)
        if high is None:
            if found[0] == "\\":
                raise _Wrong(at)
            return chr(int(byte or "0", 16))
        code = int(high, 16)
        if code & 0xF800 == 0xD800:
            if low is None:
                raise _Wrong(at)
            code = 0x10000 + ((code & 0x3FF) << 10 | int(low, 16) & 0x3FF)
        return chr(code)

    return _ESCAPE.sub(character, raw)


def _expect(text: str, at: int, mark: str) -> int:
    if not text.startswith(mark, at):
        raise _Wrong(at)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)  # they may be none, so there is always a match
    return blanks.end() if blanks else at
