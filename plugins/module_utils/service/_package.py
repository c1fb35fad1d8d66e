# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed Shadowsocks package: 6 ms by dpkg-query where apt and package_facts take seconds."""

from __future__ import annotations

import shutil
import subprocess
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary


def read(package: str, binary: str) -> dict[str, t.Any]:
    """``name``, ``version`` (None: not installed), ``binary`` (path or None), ``knows_fast_open`` (None: no binary)."""
    path = _binary.find(binary)
    return {
        "name": package,
        "version": _version(package),
        "binary": path,
        "knows_fast_open": None if path is None else _binary.knows_fast_open(path),
    }


def _version(package: str) -> t.Optional[str]:
    state, _blank, version = query(package, "${db:Status-Status} ${Version}").partition(" ")
    return version if state == "installed" else None


def query(package: str, form: str) -> str:
    """What dpkg-query(1) shows of the package in this form; '' where it does not know it, or is not here itself."""
    if shutil.which("dpkg-query") is None:
        return ""
    command = ["dpkg-query", "--show", f"--showformat={form}", package]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
