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
    if shutil.which("dpkg-query") is None:
        return None
    status = _output(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package])
    state, _blank, version = status.partition(" ")
    return version if state == "installed" else None


def _output(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
