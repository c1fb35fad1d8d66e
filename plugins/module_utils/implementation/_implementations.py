# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The implementations by name."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import (
    Implementation,
    Service,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._libev import LIBEV
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._rust import RUST

BY_NAME: dict[str, Implementation] = {one.name: one for one in (LIBEV, RUST)}
DEFAULT = LIBEV.name


def of(service: Service) -> Implementation:
    """What runs a service."""
    return BY_NAME[service.get("implementation") or DEFAULT]


def behind(binary: str) -> t.Optional[Implementation]:
    """The one whose binary has this base name; None where it is nobody's."""
    return next((one for one in BY_NAME.values() if binary in one.binaries.values()), None)
