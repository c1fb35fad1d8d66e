# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access lists of shadowsocks-libev. It takes a line that it does not know for a rule, so a mistake leaves a hole."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _near
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Text, Wrong, shown

LISTS = ("outbound_block_list", "black_list", "bypass_list", "white_list", "proxy_list")
MODES = ("reject_all", "bypass_all", "accept_all", "proxy_all")
"""The sections that it knows, letter by letter (src/acl.c, init_acl)."""

MOST_BYTES = 254
"""A line and its end fit into the 255 characters that fgets takes; more is cut apart or dropped (src/acl.c, init_acl)."""

_SECTION = re.compile(r"\[\s*([\w -]*?)\s*\]\s*(#.*)?")
_BLANKS = " \t\r\f\v"


@dataclasses.dataclass(frozen=True)
class AccessList:
    """The text of an access list."""

    type: str = "str"
    allowed: str = (
        "the text of an access list: sections such as [outbound_block_list], then addresses, networks, patterns"
    )

    def read(self, value: t.Any) -> str:
        """The text as it is. Raises Wrong with the number of the line."""
        if not isinstance(value, str) or not value.strip():
            Text(words=self.allowed).read(value)
        text = str(value)
        named = False
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip(_BLANKS)
            if re.search("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]", line):
                raise Wrong(f"line {number} holds a control character")
            if len(raw.encode(errors="surrogatepass")) > MOST_BYTES:
                raise Wrong(f"line {number} is longer than {MOST_BYTES} bytes: shadowsocks-libev cuts or drops it")
            if not line or line.startswith("#"):
                continue
            if _SECTION.fullmatch(line):
                _check_section(number, line)
                named = True
                continue
            if not named:
                raise Wrong(
                    f"line {number}, {shown(line)}, comes before a section: begin with one, such as [outbound_block_list]"
                    f"{_path_hint(line)}"
                )
            _check_rule(number, line)
        if not named:
            raise Wrong(f"holds nothing but comments: it must be {self.allowed}")
        return text


def _check_section(number: int, line: str) -> None:
    known = [f"[{name}]" for name in (*LISTS, *MODES)]
    if line not in known:
        near = _near.nearest(line, known)
        raise Wrong(
            f"line {number}, {shown(line)}, is no section of shadowsocks-libev, which would take it for a rule;"
            f" {f'did you mean {near}?' if near else 'it knows'} {', '.join(known) if not near else ''}".rstrip()
        )


def _check_rule(number: int, line: str) -> None:
    """An address with a prefix that is none becomes another network: atoi() reads 'x' as 0, which is everybody."""
    host, slash, prefix = line.rpartition("/")
    try:
        address = ipaddress.ip_address(host if slash else line)
    except ValueError:
        return
    most = 32 if address.version == 4 else 128
    if slash and not (re.fullmatch(r"[0-9]{1,3}", prefix) and int(prefix) <= most):
        raise Wrong(f"line {number}, {shown(line)}: the prefix must be a number from 0 to {most}")


def _path_hint(line: str) -> str:
    if line.startswith(("/", "~", "./")) or line.endswith((".acl", ".txt", ".conf")):
        return "; a file's text comes by lookup('ansible.builtin.file', …)"
    return ""
