# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's promtool, unpacked into the cache: the package itself would start a Prometheus on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGE = "prometheus"


class Missing(Exception):
    """This machine cannot have promtool; the text is one line and says what it needs."""


def promtool() -> Path:
    """Where promtool is: the machine's own, or that of Debian's package. Raises Missing."""
    own = shutil.which("promtool")
    return Path(own) if own else _unpacked() / "usr" / "bin" / "promtool"


def run(*arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """promtool with these arguments, and with this on its standard input."""
    command = [str(promtool()), *map(str, arguments)]
    return subprocess.run(command, check=False, input=text, capture_output=True, text=True, timeout=120)


def _unpacked() -> Path:
    folder = Path(os.environ["FASTOPEN_CACHE"]) / "prometheus"
    if folder.exists():
        return folder
    if not shutil.which("apt-get"):
        raise Missing("no promtool: install Prometheus, or run this on Debian")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        if not _downloaded(scratch) and os.geteuid() == 0:
            subprocess.run(["apt-get", "update", "-qq"], check=True)
            _downloaded(scratch)
        archives = list(Path(scratch).glob("*.deb"))
        if not archives:
            raise Missing(f"no promtool: apt-get download {PACKAGE} brings nothing, sudo apt-get update may help")
        subprocess.run(["dpkg-deb", "--extract", str(archives[0]), f"{scratch}/root"], check=True)
        Path(scratch, "root").rename(folder)
    return folder


def _downloaded(folder: str) -> bool:
    command = ["apt-get", "download", "-qq", PACKAGE]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True).returncode == 0
