# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package's own server, shadowsocks-libev.service: masked while untouched, and after that somebody's service."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _package, _systemd

UNIT = "shadowsocks-libev.service"
"""Started by the Debian package itself on 127.0.0.1:8388 with a random password (facts: packaging)."""
IMPLEMENTATION = "libev"
"""Whose package's it is: where nothing of that is wanted, it is left alone."""
ADMIN_FILE = f"/etc/systemd/system/{UNIT}"
VENDOR = ("/usr/lib/", "/lib/")
CONFIG = "/etc/shadowsocks-libev/config.json"
TEMPLATE = "/usr/share/shadowsocks-libev/config.json"
"""What the package makes its config of, with a random password in place of ``barfoo!`` (debian/postinst)."""
DEFAULTS = "/etc/default/shadowsocks-libev"


@dataclasses.dataclass(frozen=True)
class Packaged:
    """The unit, and ``touched``: why it is not the package's own any more, '' while it is (or is not there).

    ``masked``: the mask is in its place, whether systemd has read it already or not.
    """

    unit: _systemd.Unit
    touched: str = ""
    masked: bool = False

    @property
    def present(self) -> bool:
        """Whether it could be started at all."""
        return self.unit.load_state not in ("not-found", "masked")

    @property
    def used(self) -> bool:
        """Whether it runs, or will at boot."""
        return self.unit.enabled or self.unit.alive


def read(unit: _systemd.Unit) -> Packaged:
    """Look at the files behind the unit. Changes nothing."""
    masked = os.path.realpath(ADMIN_FILE) == os.devnull
    if os.path.lexists(ADMIN_FILE) and not masked:
        return Packaged(unit, f"{ADMIN_FILE} is a unit of somebody else")
    if masked or unit.load_state in ("masked", "not-found"):
        return Packaged(unit, masked=masked)
    if not unit.fragment.startswith(VENDOR):
        return Packaged(unit, f"{unit.fragment} is a unit of somebody else")
    # A folder service.d is for every service of the host: containers get one from their manager (systemd.unit(5)).
    own = [path for path in unit.drop_ins.split() if os.path.basename(os.path.dirname(path)) != "service.d"]
    if own:
        return Packaged(unit, f"it has drop-ins ({' '.join(own)})")
    if not _is_own_config(_files.read(CONFIG), _files.read(TEMPLATE)):
        return Packaged(unit, f"{CONFIG} is not as the package made it")
    if not _is_own_defaults(_files.read(DEFAULTS)):
        return Packaged(unit, f"{DEFAULTS} is not the package's")
    return Packaged(unit)


def _is_own_config(config: t.Optional[_files.State], template: t.Optional[_files.State]) -> bool:
    if config is None:
        return True  # without it the service cannot run
    if template is None or config.link:
        return False
    parts = [re.escape(part) for part in template.content.split(b"barfoo!")]
    return re.fullmatch(rb"[A-Za-z0-9]{0,64}".join(parts), config.content) is not None


def _is_own_defaults(defaults: t.Optional[_files.State]) -> bool:
    """Whether the file is what dpkg put there, by the digest that dpkg keeps (dpkg-query(1), Conffiles)."""
    if defaults is None:
        return True
    digest = hashlib.md5(defaults.content, usedforsecurity=False).hexdigest()
    lines = _package.query(UNIT.partition(".")[0], "${Conffiles}").split("\n")
    return any(line.split()[:2] == [DEFAULTS, digest] for line in lines)
