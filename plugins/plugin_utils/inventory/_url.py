# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs: of the probe, only what a probe really sends, so that nothing of it is left out silently; of who is notified."""

from __future__ import annotations

import dataclasses
import re
import typing as t
import urllib.parse

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import Address
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Text, Wrong, shown


@dataclasses.dataclass(frozen=True)
class Url:
    """An http URL, or '' for none."""

    type: str = "str"
    allowed: str = "http://HOST[:PORT][/PATH]"

    def read(self, value: t.Any) -> str:
        """The URL."""
        if value == "":
            return ""
        text = Text(words=self.allowed).read(value)
        if "@" in re.split("[/?#]", text.partition("//")[2])[0]:
            raise Wrong("holds a login, which would be shown in results and reports: give a page that needs none")
        try:
            host, _port, _path = _tunnel.split(text)
        except _tunnel.TunnelError as error:
            raise Wrong(str(error).partition(" ")[2]) from None
        parts = urllib.parse.urlsplit(text)
        if parts.port == 0 or parts.fragment or re.search(r"\s", text) or not _is_host(host):
            raise Wrong(f"{shown(text)} is not {self.allowed}")
        return text


@dataclasses.dataclass(frozen=True)
class Receiver:
    """Where notifications go, or '' for nowhere. Whoever knows its path may post there as well, so it is a secret."""

    type: str = "str"
    allowed: str = "http[s]://HOST[:PORT][/PATH][?QUERY] in ASCII"
    secret: bool = True

    def read(self, value: t.Any) -> str:
        """The URL."""
        if value == "":
            return ""
        text = Text(r"https?://[!-~]+", self.allowed, secret=True).read(value)
        try:
            parts = urllib.parse.urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Wrong(f"is not {self.allowed}") from None
        if "@" in parts.netloc:
            raise Wrong("holds a login: give a URL that needs none, or has its token in the path or query")
        if port == 0 or parts.fragment or not _is_host(host):
            raise Wrong(f"is not {self.allowed}")
        return text


def _is_host(host: str) -> bool:
    try:
        Address().read(host if ":" in host else host.encode("idna").decode())
    except (Wrong, ValueError):
        return False
    return True
