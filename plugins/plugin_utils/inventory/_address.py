# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: IPv4, IPv6 with or without brackets, host names; never with a port."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Text, Wrong, shown

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PORT = re.compile(r"(.*):([0-9]{1,5})")


@dataclasses.dataclass(frozen=True)
class Address:
    """An address or a host name (RFC 1123 section 2.1); ``names`` False: an address only."""

    names: bool = True
    type: str = "str"

    @property
    def allowed(self) -> str:
        """The form in words."""
        return "an IPv4 or IPv6 address" + (" or a host name" if self.names else "") + ", without a port"

    def read(self, value: t.Any) -> str:
        """The address without brackets, in its usual form, or the name."""
        text = Text(words=self.allowed).read(value)
        bracketed = text.startswith("[") and text.endswith("]")
        inner = text[1:-1] if bracketed else text
        try:
            found = None if "%" in inner else ipaddress.ip_address(inner)
        except ValueError:
            found = None
        if found is not None and (found.version == 6 or not bracketed):
            return str(found)
        if self.names and not bracketed and _is_name(text):
            return text
        raise Wrong(f"{shown(text)} is not {self.allowed}{_why(text)}")


@dataclasses.dataclass(frozen=True)
class HostPort:
    """Host and port, ``example.org:80`` or ``[2001:db8::1]:80``."""

    type: str = "str"
    allowed: str = "HOST:PORT or [IPv6]:PORT"

    def read(self, value: t.Any) -> str:
        """The text with the host in its usual form."""
        text = Text(words=self.allowed).read(value)
        parts = _PORT.fullmatch(text)
        if not parts or (":" in parts[1] and not parts[1].startswith("[")) or not 1 <= int(parts[2]) <= 65535:
            raise Wrong(f"{shown(text)} is not {self.allowed}")
        try:
            host = Address().read(parts[1])
        except Wrong:
            raise Wrong(f"{shown(text)} is not {self.allowed}") from None
        return f"[{host}]:{int(parts[2])}" if ":" in host else f"{host}:{int(parts[2])}"


@dataclasses.dataclass(frozen=True)
class NameServers:
    """What c-ares takes for name servers (src/resolv.c, resolv_init); ss-server does not start with anything else."""

    type: str = "str"
    allowed: str = "addresses of name servers, with commas between them"

    def read(self, value: t.Any) -> str:
        """The text without blanks."""
        servers = [server.strip() for server in Text(words=self.allowed).read(value).split(",")]
        for server in servers:
            parts = _PORT.fullmatch(server)
            with_port = parts and (parts[1].startswith("[") or ":" not in parts[1])
            try:
                Address(names=False).read(parts[1] if parts and with_port else server)
            except Wrong:
                raise Wrong(f"{shown(server)} is no address: give {self.allowed}") from None
        return ",".join(servers)


def is_loopback(address: str) -> bool:
    """Whether it leads every host to itself."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower().rstrip(".") in ("localhost", "localhost.localdomain", "ip6-localhost")


def _is_name(text: str) -> bool:
    """A host name: labels of letters, digits, '-' and '_', not all digits at the end, for then it is a bad address."""
    labels = text[:-1].split(".") if text.endswith(".") else text.split(".")
    return len(text) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def _why(text: str) -> str:
    """What is likely to be wrong with it."""
    parts = _PORT.fullmatch(text)
    if parts and (text.startswith("[") or ":" not in parts[1]):
        return f": the port {parts[2]} belongs into a key of its own"
    if ".." in text or text.startswith("."):
        return ": a part of the name is empty"
    if "%" in text:
        return ": a scope (%) means nothing on another host"
    return ""
