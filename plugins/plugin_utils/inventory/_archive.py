# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of binaries: where it is and what its digest is, by the architecture of the host."""

from __future__ import annotations

import dataclasses
import re
import typing as t
import urllib.parse
from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _lists
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import (
    Kind,
    Text,
    Wrong,
    read,
    shown,
)

_ARCHITECTURE = Text(
    r"[a-z0-9_]+", "an architecture as ansible_facts['architecture'] has it, such as x86_64 or aarch64"
)
CHECKSUM = Text(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits in lower case")


@dataclasses.dataclass(frozen=True)
class ArchiveUrl:
    """A URL without a login, which would be shown in results and logs."""

    type: str = "str"
    allowed: str = "https://HOST/PATH, http://HOST/PATH or file:///PATH"

    def read(self, value: t.Any) -> str:
        """The URL."""
        text = Text(words=self.allowed).read(value)
        try:
            parts = urllib.parse.urlsplit(text)
            login, host = "@" in parts.netloc, parts.hostname or ""
        except ValueError:
            raise Wrong(f"is not {self.allowed}") from None
        if login:
            raise Wrong("holds a login, which would be shown in results and logs: give a URL that needs none")
        if parts.scheme not in ("https", "http", "file") or bool(host) == (parts.scheme == "file") or not parts.path:
            raise Wrong(f"{shown(text)} is not {self.allowed}")
        if re.search(r"\s", text) or parts.fragment or not text.isascii():
            raise Wrong(f"{shown(text)} is not {self.allowed}")
        return text


@dataclasses.dataclass(frozen=True)
class ByArchitecture:
    """A value of one kind for each architecture of the fleet, as YAML or as the text of an INI file or of ``-e``."""

    kind: Kind
    type: str = "dict"

    @property
    def allowed(self) -> str:
        """The form in words."""
        return f"a mapping from architecture (x86_64, aarch64) to {self.kind.allowed}"

    def read(self, value: t.Any) -> dict[str, t.Any]:
        """The mapping."""
        found = _lists.literal(str(value)) if isinstance(value, str) else value
        if not isinstance(found, Mapping) or not found:
            raise Wrong(f"is not {self.allowed}")
        return dict(self._entry(key, one) for key, one in found.items())

    def _entry(self, key: t.Any, value: t.Any) -> tuple[str, t.Any]:
        name = read(_ARCHITECTURE, key)
        try:
            return name, read(self.kind, value)
        except Wrong as error:
            raise Wrong(f"{name}: {error}") from None
