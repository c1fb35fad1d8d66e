# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command with the pinned tools and with this checkout as the installed collection.

    python3 tests/tools/with_tools.py ansible-playbook -i inventory fastopen.shadowsocks.audit

Python 3.11 or later and its standard library are enough. The first call makes, in $FASTOPEN_CACHE
(~/.cache/fastopen.shadowsocks),

- venv/<hash of the interpreter, of requirements/development.txt and of $FASTOPEN_CORE>: the tools; with FASTOPEN_CORE=2.19.4
  they come with that ansible-core, whatever is pinned;
- trees/<hash of the checkout's path>/ansible_collections/fastopen/shadowsocks: a link to the checkout.

An ANSIBLE_COLLECTIONS_PATH that is already set is kept, so a gate can run the same command on an installed artifact.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = CHECKOUT / "requirements" / "development.txt"
OLDEST_PYTHON = (3, 11)


class Missing(Exception):
    """Something that the machine has to bring; the text is one line and ends with the command that brings it."""


def cache_directory() -> Path:
    """The folder of everything that is made once and kept: $FASTOPEN_CACHE or ~/.cache/fastopen.shadowsocks."""
    configured = os.environ.get("FASTOPEN_CACHE")
    return Path(configured).expanduser().absolute() if configured else Path.home() / ".cache" / "fastopen.shadowsocks"


def digest(*parts: bytes) -> str:
    """A short name for these contents."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def ensure_python() -> None:
    """Have an interpreter that can make virtual environments; on Debian as root, install what is missing.

    Raises Missing when that is left to the user.
    """
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise Missing(f"Python {wanted} or later is needed, this is {found}: make PYTHON=python3.12 …")
    if importlib.util.find_spec("ensurepip") is not None:
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "python3-venv"]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing("Python's venv is missing: sudo " + " ".join(install))
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet, stdout=sys.stderr)
    subprocess.run(install, check=True, env=quiet, stdout=sys.stderr)


def ensure_tools() -> Path:
    """The virtual environment with the pinned tools, made when it is not there yet; safe to call at the same time."""
    interpreter = f"{os.path.realpath(sys.executable)} {sys.version}".encode()
    core = os.environ.get("FASTOPEN_CORE", "")
    venv = cache_directory() / "venv" / digest(interpreter, REQUIREMENTS.read_bytes() + core.encode())
    ready = venv / "ready"
    if ready.exists():
        return venv
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(venv.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            ensure_python()
            print(f"Installing the tools into {venv} …", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
            pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
            if core:
                subprocess.run([*pip, f"ansible-core=={core}"], check=True)
            ready.touch()
    return venv


def ensure_tree() -> Path:
    """A collections path in which fastopen.shadowsocks is this checkout; safe to call at the same time."""
    tree = cache_directory() / "trees" / digest(str(CHECKOUT).encode())
    link = tree / "ansible_collections" / "fastopen" / "shadowsocks"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        new = link.with_name(f".{link.name}.{os.getpid()}")
        new.symlink_to(CHECKOUT, target_is_directory=True)
        new.replace(link)
    return tree


def environment() -> dict[str, str]:
    """The variables under which the tools work."""
    tree = str(ensure_tree())
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", tree),
        "FASTOPEN_CACHE": str(cache_directory()),
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "PATH": f"{ensure_tools() / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": tree,
    }


def main() -> None:
    """Become the command in the arguments."""
    if len(sys.argv) < 2:
        sys.exit("usage: with_tools.py COMMAND [ARGUMENT …]")
    try:
        variables = environment()
    except Missing as missing:
        sys.exit(str(missing))
    except subprocess.CalledProcessError as failed:
        sys.exit(f"failed: {' '.join(failed.cmd)}")
    os.environ.update(variables)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
