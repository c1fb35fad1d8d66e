# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gates work on in place of the checkout: a copy of its tracked files, and the installed artifact."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from with_tools import CHECKOUT, cache_directory

COLLECTION = Path("ansible_collections") / "fastopen" / "shadowsocks"


@contextmanager
def scratch_directory(purpose: str) -> Iterator[Path]:
    """A new empty folder below the cache, removed at the end."""
    parent = cache_directory() / "scratch"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{purpose}-", dir=parent) as scratch:
        yield Path(scratch)


def copy_tracked(collections_path: Path) -> Path:
    """Copy the tracked files, as they are on disk, to where a collection lives below this path.

    A real folder and no link, since ansible-test refuses links; tracked files only, so that a file which somebody forgot
    to add is missing here as well.
    """
    target = collections_path / COLLECTION
    command = ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, os.fsdecode(listing).split("\0")):
        if not os.path.lexists(CHECKOUT / name):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target / name, follow_symlinks=False)
    return target


def install_artifact(scratch: Path) -> tuple[Path, Path]:
    """Build the artifact from the tracked files and install it into an empty collections path: (tarball, that path)."""
    source = copy_tracked(scratch / "source")
    installed = scratch / "installed"
    run(["ansible-galaxy", "collection", "build", "--output-path", str(scratch), str(source)], cwd=scratch)
    (tarball,) = scratch.glob("*.tar.gz")
    install = ["ansible-galaxy", "collection", "install", "--offline", "-p", str(installed), str(tarball)]
    run(install, cwd=scratch, collections_path=installed)
    return tarball, installed


def outside(collections_path: Path | None = None, **more: str) -> dict[str, str]:
    """The environment without the checkout: only the collections below this path exist."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "ANSIBLE_COLLECTIONS_PATH": str(collections_path or os.devnull), **more}


def run(command: list[str], cwd: Path, collections_path: Path | None = None) -> None:
    """Run a command away from the checkout; its failure ends the gate."""
    print("+", " ".join(command), flush=True)
    subprocess.run(command, cwd=cwd, check=True, env=outside(collections_path))
