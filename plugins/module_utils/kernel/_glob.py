# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of sysctl.d(5): glob(7) in the C locale, with braces (GLOB_BRACE of glob(3)). fnmatch knows less."""

from __future__ import annotations

import re

_WILDCARDS = "*?["
_LETTERS = "".join(map(chr, range(33, 127)))  # what a name below /proc/sys may be made of
_BRACKET = re.compile(r"\[([!^]|(?![!^]))((?:\]|(?!\]))(?:\[:[a-z]+:\]|\\[^/]|(?!\[:[a-z]+:\])[^\]/\\])*)\]")
_ELEMENT = re.compile(r"\[:([a-z]+):\]|\\?(.)(?:-\\?(.))?", re.DOTALL)
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@[-`{-~",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def is_glob(pattern: str) -> bool:
    """Whether systemd takes it for a pattern at all; braces alone do not make one."""
    return any(character in pattern for character in _WILDCARDS)


def matches(path: str, pattern: str) -> bool:
    """Whether the pattern matches the whole path; a wildcard does not cross a slash."""
    expression, _end = _translate(pattern, 0, "")
    return re.fullmatch(expression, path, re.DOTALL) is not None


def _translate(pattern: str, start: int, stops: str) -> tuple[str, int]:
    """A regular expression for the pattern from ``start`` up to one of ``stops``, and where that is."""
    found, position = "", start
    while position < len(pattern) and pattern[position] not in stops:
        character = pattern[position]
        bracket = _BRACKET.match(pattern, position) if character == "[" else None
        braces = _braces(pattern, position) if character == "{" else None
        position += 1
        if character == "*":
            found += "" if found.endswith("[^/]*") else "[^/]*"
        elif character == "?":
            found += "[^/]"
        elif bracket:
            found, position = found + _set(bracket), bracket.end()
        elif braces:
            found, position = found + braces[0], braces[1]
        elif character == "\\" and position < len(pattern):
            found, position = found + re.escape(pattern[position]), position + 1
        else:
            found += re.escape(character)
    return found, position


def _braces(pattern: str, position: int) -> tuple[str, int] | None:
    """The alternatives of {a,b}, and where they end; None where the brace is never closed and so means itself."""
    found = []
    while True:
        alternative, position = _translate(pattern, position + 1, ",}")
        found.append(alternative)
        if position == len(pattern):
            return None
        if pattern[position] == "}":
            return (f"(?:{'|'.join(found)})", position + 1) if found != [""] else (re.escape("{}"), position + 1)


def _set(bracket: re.Match[str]) -> str:
    """The characters that a bracket stands for. A range the wrong way round has none."""
    members = set()
    for name, first, last in _ELEMENT.findall(bracket[2]):
        if name:
            members.update(re.findall(f"[{re.escape(_CLASSES.get(name, ''))}]".replace(r"\-", "-"), _LETTERS))
        else:
            members.update(map(chr, range(ord(first), ord(last or first) + 1)) if ord(last or first) < 127 else ())
    chosen = [letter for letter in _LETTERS if (letter in members) != bool(bracket[1]) and letter != "/"]
    return f"[{''.join(map(re.escape, chosen))}]" if chosen else "(?!)"
