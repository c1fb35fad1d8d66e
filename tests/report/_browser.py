# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium, and what drives it from npm; installed when it is missing, into the cache, never into the checkout."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKED = ("package.json", "package-lock.json")


class Missing(Exception):
    """This machine cannot have a browser; the text is one line and says what it needs."""


def ensure_programs() -> str:
    """The path of Chromium; it, Node.js and npm are installed as root on Debian. Raises Missing."""
    missing = [
        name for name, program in (("chromium", "chromium"), ("nodejs", "node"), ("npm", "npm")) if not which(program)
    ]
    if missing:
        command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
        if os.geteuid() != 0 or not which("apt-get"):
            raise Missing(f"no browser to open the pages in; on Debian: sudo {' '.join(command)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
        subprocess.run(command, check=True, env=quiet, stdout=subprocess.DEVNULL)
    found = which("chromium")
    if not found:
        raise Missing("no browser to open the pages in: this Debian has no chromium")
    return found


def ensure_packages() -> Path:
    """A folder with the pinned packages of package-lock.json."""
    digest = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in PACKED)).hexdigest()[:12]
    folder = Path(os.environ["FASTOPEN_CACHE"]) / "browser" / digest
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in PACKED:
            shutil.copy(HERE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], check=True, cwd=folder)
        (folder / "ready").touch()
    return folder / "node_modules"


def look(chromium: str, packages: Path, page: Path, folder: Path) -> dict[str, Any]:
    """What browse.cjs sees of a page; it leaves screenshots in a folder."""
    command = ["node", str(HERE / "browse.cjs"), chromium, str(page), str(folder)]
    variables = {**os.environ, "NODE_PATH": str(packages)}
    done = subprocess.run(command, check=False, env=variables, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def which(program: str) -> str | None:
    """Where a program is."""
    return shutil.which(program)
