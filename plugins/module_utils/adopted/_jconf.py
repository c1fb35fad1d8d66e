# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A config as shadowsocks-libev 3.3.5 reads it: JSON by its src/json.c, its keys by src/jconf.c.

That parser takes commas at the end, any escaped character, and line ends inside of strings; no comments, and nothing
behind a NUL. jconf.c goes through the keys in their order, so of a key that stands twice the last one counts.
"""

from __future__ import annotations

import re
import socket
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

MOST_BYTES = 128 * 1024
"""MAX_CONF_SIZE (src/jconf.h)."""
MOST_SERVERS = 10
"""MAX_REMOTE_NUM (src/jconf.h); it ignores the others."""
MODES = ("tcp_only", "tcp_and_udp", "udp_only")

_TEXTS = frozenset(
    "server_port local_address local_ipv4_address local_ipv6_address local_port password key method timeout user plugin"
    " plugin_opts nameserver tunnel_address mode workdir acl manager_address".split()
)
_BOOLEANS = frozenset("fast_open reuse_port mptcp ipv6_first no_delay tcp_tproxy".split())
_NUMBERS = frozenset(("nofile", "mtu"))

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0(?![0-9])|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|-")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u(.{0,4})(?:(?<=[dD][89a-fA-F]..)\\u(.{0,4}))?|(.))", re.DOTALL)
_HEX = re.compile("[0-9a-fA-F]{4}")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}

End = tuple[t.Optional[str], t.Optional[str]]
"""A host and its own port, None where it has none (ss_addr_t)."""


class Config(t.NamedTuple):
    """``texts`` are the values that jconf.c keeps as text, numbers too; a key that is null is not in it."""

    servers: tuple[End, ...] = ()
    texts: t.Mapping[str, str] = {}
    mode: str = MODES[0]
    fast_open: bool = False
    ipv6_first: bool = False


class Refused(Exception):
    """shadowsocks-libev ends where it reads this; the message says why, without a value of it."""


def parse(raw: bytes) -> Config:
    """What jconf.c makes of a config. Raises Refused."""
    if not 0 < len(raw) < MOST_BYTES:
        raise Refused("its config is empty or too large")
    text = _ascii.text(raw[3:] if raw.startswith(b"\xef\xbb\xbf") else raw).partition("\0")[0]
    try:
        value, at = _value(text, _skip(text, 0))
    except (ValueError, RecursionError):
        at, value = -1, None
    if at != len(text) or not isinstance(value, _Object):
        raise Refused("its config is no JSON as shadowsocks-libev reads it")
    servers: list[End] = [(None, None)] * MOST_SERVERS
    number, texts = 0, {}
    mode, booleans = MODES[0], {}
    for name, found in value.pairs:
        if name == "server":
            number = _put_servers(servers, found, number)
        elif name in _TEXTS:
            texts[name] = to_string(name, found)
            if name == "mode":
                # One that it does not know changes nothing.
                mode = MODES[0] if found is None else next((one for one in MODES if one == texts[name]), mode)
        elif name in _BOOLEANS and not isinstance(found, bool):
            raise Refused(f"{name} in its config is not true or false")
        elif name in _NUMBERS and (isinstance(found, bool) or not isinstance(found, int)):
            raise Refused(f"{name} in its config is no whole number")
        elif name == "auth":
            raise Refused("its config has auth, which shadowsocks-libev no longer knows")
        elif name in _BOOLEANS:
            booleans[name] = found
    kept = {name: found for name, found in texts.items() if found is not None and (found or name != "plugin")}
    fast_open, ipv6_first = (booleans.get(name, False) for name in ("fast_open", "ipv6_first"))
    return Config(tuple(servers[:number]), kept, mode, fast_open, ipv6_first)


def to_string(name: str, value: t.Any) -> t.Optional[str]:
    """to_string(): a C text ends with its first NUL, and a number passes through an int. Raises Refused."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.partition("\0")[0]
    if isinstance(value, int) and not isinstance(value, bool):
        return str((value + 2**31) % 2**32 - 2**31)
    raise Refused(f"{name} in its config is neither text nor a whole number")


def parse_addr(text: str) -> End:
    """parse_addr(): ADDRESS, HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT."""
    if _is_ipv6(text):
        return text, None
    colons, last = text.count(":"), text.rfind(":")
    if colons > 1 and text[last - 1] != "]":
        return text[1:-1], None
    if colons == 0:
        return text, None
    host = text[1 : last - 1] if colons > 1 else text[:last]
    return host, text[last + 1 :] or None


def _is_ipv6(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):  # ValueError: bytes that are no text
        return False
    return True


def _put_servers(servers: list[End], value: t.Any, number: int) -> int:
    """How many there are then; the fields of a struct keep what a second, shorter list does not overwrite."""
    if isinstance(value, str):
        servers[0] = parse_addr(to_string("server", value) or "")
        return 1
    entries = value if isinstance(value, list) else []
    for place, entry in enumerate(entries[:MOST_SERVERS]):
        text = to_string("server", entry)
        servers[place] = servers[place] if text is None else parse_addr(text)
        number = place + 1
    return number


class _Object(t.NamedTuple):
    pairs: list[tuple[str, t.Any]]


def _value(text: str, at: int) -> tuple[t.Any, int]:
    """A value and where what follows begins. Raises ValueError."""
    if text.startswith("{", at):
        return _members(text, at + 1)
    if text.startswith("[", at):
        return _elements(text, at + 1)
    if text.startswith('"', at):
        return _string(text, at)
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return value, _skip(text, at + len(word))
    found = _NUMBER.match(text, at)
    if not found:
        raise ValueError
    number: t.Any = 0 if found[0] == "-" else float(found[0]) if found[1] or found[2] else int(found[0])
    return number, _skip(text, found.end())


def _members(text: str, at: int) -> tuple[_Object, int]:
    pairs: list[tuple[str, t.Any]] = []
    at = _skip(text, at)
    while not text.startswith("}", at):
        name, at = _string(text, at)
        value, at = _value(text, _expect(text, at, ":"))
        pairs.append((name.partition("\0")[0], value))
        at = at if text.startswith("}", at) else _expect(text, at, ",")
    return _Object(pairs), _skip(text, at + 1)


def _elements(text: str, at: int) -> tuple[list[t.Any], int]:
    values = []
    at = _skip(text, at)
    while not text.startswith("]", at):
        value, at = _value(text, at)
        values.append(value)
        at = at if text.startswith("]", at) else _expect(text, at, ",")
    return values, _skip(text, at + 1)


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if not found:
        raise ValueError
    return _ESCAPE.sub(_character, found[1]), _skip(text, found.end())


def _character(found: re.Match[str]) -> str:
    """What an escape stands for; of a character that needs two, the second one may be any. Raises ValueError."""
    first, second, letter = found.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    if not _HEX.fullmatch(first) or (second is not None and not _HEX.fullmatch(second)):
        raise ValueError
    code = int(first, 16)
    if code & 0xF800 == 0xD800:
        if second is None:
            raise ValueError
        code = 0x10000 | (code & 0x3FF) << 10 | int(second, 16) & 0x3FF
    return chr(code)


def _expect(text: str, at: int, mark: str) -> int:
    if not text.startswith(mark, at):
        raise ValueError
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)  # they may be none, so there is always a match
    return blanks.end() if blanks else at
