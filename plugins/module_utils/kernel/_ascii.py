# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text the way C programs have it: bytes, of which only ASCII means anything. str's own methods know too much Unicode.

Bytes that are no UTF-8 are lone surrogates in a text (PEP 383), so every byte comes back where a text is written.
"""

from __future__ import annotations

import re

BLANKS = " \t\n\r"
"""What systemd strips (WHITESPACE in src/basic/string-util.h)."""

_SPACES = " \t\n\r\v\f"  # isspace(3) in the C locale
_WORD = re.compile(f"[^{_SPACES}]+")
_INTEGER = re.compile("-?[0-9]{1,100}")
# systemd's read_line() (src/basic/fileio.c): each of these characters ends a line, one of each kind in a row ends one.
_LINE_END = re.compile("(?:\n\r?|\r\n?)\0?|\0")
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_NO_UTF8 = re.compile(f"[\udc80-\udcff\ufdd0-\ufdef{_NONCHARACTERS}]")


def text(raw: bytes) -> str:
    """The bytes as text."""
    return raw.decode("utf-8", "surrogateescape")


def raw(text_: str) -> bytes:
    """The text as the bytes that it was; a surrogate that stands for no byte is an error: ValueError."""
    return text_.encode("utf-8", "surrogateescape")


def read(path: str) -> str:
    """A file's text, its line ends as they are. Raises OSError."""
    with open(path, "rb") as stream:
        return text(stream.read())


def lines(text_: str) -> list[str]:
    r"""The lines of what the kernel or a program prints: \n ends one, and nothing else."""
    found = text_.split("\n")
    return found if found[-1] else found[:-1]


def systemd_lines(text_: str) -> list[str]:
    """The lines of a configuration file as systemd reads them, without their ends."""
    return _LINE_END.split(text_)


def is_utf8(text_: str) -> bool:
    """Whether systemd takes it for UTF-8: utf8_is_valid() in src/basic/utf8.c has no noncharacters."""
    return _NO_UTF8.search(text_) is None


def words(text_: str) -> list[str]:
    """The words between blanks."""
    return _WORD.findall(text_)


def strip(text_: str) -> str:
    """Without blanks at both ends, as systemd strips a line, a key or a value."""
    return text_.strip(BLANKS)


def is_integer(text_: str) -> bool:
    """Whether it is a decimal number as C prints it; int() takes more: 1_0, +1, blanks, digits of any script."""
    return _INTEGER.fullmatch(text_) is not None


def integer(text_: str) -> int:
    """A decimal number as C prints it. Raises ValueError for everything else."""
    if not is_integer(text_):
        raise ValueError(f"{text_!r} is not a number")
    return int(text_)


def number(text_: str) -> int:
    """A decimal number, 0 for what is none, such as systemd's ``[not set]``."""
    return int(text_) if is_integer(text_) else 0


def shown(text_: str) -> str:
    r"""The text for people and for JSON: a byte that is no UTF-8 as \xff."""
    return raw(text_).decode("utf-8", "backslashreplace")
