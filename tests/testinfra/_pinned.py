# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that one scenario needs beside the tools, in an environment of their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from _hosts import ROOT


def pinned(name: str) -> Path:
    """The folder of the programs that requirements/NAME.txt pins; the first call installs them."""
    wanted = ROOT / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = Path(os.environ["FASTOPEN_CACHE"]) / name / digest
    if not (venv / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(venv / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", str(wanted)], check=True)
        (venv / "ready").touch()
    return venv / "bin"
