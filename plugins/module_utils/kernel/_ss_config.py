# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Shadowsocks config says about TCP Fast Open.

shadowsocks-libev reads JSON and takes a boolean only (src/jconf.c), shadowsocks-rust reads JSON5: comments, bare keys,
commas at the end. The Python ones take whatever is true to Python (shadowsocks/shell.py).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

_BLANKS = re.compile(r"(?:[ \t\n\r\v\f\u00a0\ufeff\u2028\u2029]|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_MARKS = "{}[]:,"
_TOKEN = re.compile(
    r"""[{}\[\]:,]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'{}\[\]:,/]+""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_PAIRS = {"{": "}", "[": "]"}
_FALSE = ("false", "null", "0", '""', "''")


def fast_open(raw: bytes, truthy: bool = False) -> t.Optional[bool]:
    """Whether the config switches TCP Fast Open on; None where it cannot be told, as it is no object. Never raises.

    ``truthy``: by Python's idea of true. Of several values one that is true is enough.
    """
    tokens = _tokens(_ascii.text(raw))
    values = _values(tokens, "fast_open") if tokens else None
    if values is None:
        return None
    return any(value not in _FALSE if truthy else value == "true" for value in values)


def _tokens(text: str) -> t.Optional[list[str]]:
    found: list[str] = []
    position = _end(_BLANKS.match(text))
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        found.append(match[0])
        position = _end(_BLANKS.match(text, match.end()))
    return found


def _end(match: t.Optional[re.Match[str]]) -> int:
    return match.end() if match else 0  # blanks may be none, so there is always a match


def _values(tokens: t.Sequence[str], wanted: str) -> t.Optional[list[str]]:
    """The first tokens of a key's values in the outermost object, None where that is not well formed."""
    if tokens[0] != "{":
        return None
    found: list[str] = []
    open_, awaited, key = ["{"], "key", ""
    for token in tokens[1:]:
        if not open_:
            return None
        closes = token == _PAIRS[open_[-1]]
        if len(open_) > 1 or (closes and awaited in ("key", ",")):
            if token in _PAIRS:
                open_.append(token)
            elif closes:
                open_.pop()
            elif token in _PAIRS.values():
                return None
        elif (token in _MARKS) != (awaited in (":", ",")) and not (awaited == "value" and token in _PAIRS):
            return None
        elif awaited == "key":
            key, awaited = _name(token), ":"
        elif awaited == "value":
            found += [token] if key == wanted else []
            open_ += [token] if token in _PAIRS else []
            awaited = ","
        elif token != awaited:
            return None
        else:
            awaited = "value" if token == ":" else "key"
    return None if open_ else found


def _name(token: str) -> str:
    """A key without its quotes and escapes."""
    bare = token[1:-1] if token[0] in "\"'" else token
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], bare)
