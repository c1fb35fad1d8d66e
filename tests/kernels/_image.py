# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian kernel and a small system of its release around it, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import _initramfs
import _packages
import ansible
from with_tools import cache_directory

CACHE = cache_directory() / "kernels"
TREE = Path(__file__).resolve().parents[2]
PROGRAMS = "python3 iproute2 nftables iptables kmod coreutils".split()
_COLLECTION = "ansible_collections/fastopen/shadowsocks"
_ANSIBLE = Path(ansible.__file__).parent


class Image(NamedTuple):
    """A kernel, and the archive of its modules and of the PROGRAMS of its release."""

    kernel: Path
    system: Path


def image(name: str, suites: tuple[str, ...]) -> Image:
    """The cached one, or else the newest that these suites have. Raises Unavailable."""
    recipe = [*suites, *PROGRAMS, Path(_initramfs.__file__).read_text(encoding="utf-8")]
    folder = CACHE / f"{name}-{hashlib.sha256(' '.join(recipe).encode()).hexdigest()[:12]}"
    if not folder.exists():
        print(f"{name}: fetching {', '.join(suites)}", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            _make(Path(scratch), suites).rename(folder)
    return Image(folder / "vmlinuz", folder / "system.cpio")


def _make(scratch: Path, suites: tuple[str, ...]) -> Path:
    apt = _packages.Apt(scratch / "apt", suites)
    tree, made = scratch / "tree", scratch / "image"
    _initramfs.unpack([*apt.kernel(), *apt.programs(PROGRAMS)], tree)
    [modules] = (tree / "usr/lib/modules").iterdir()
    # What it warns of are lists of what is built in, which are in a package that is not needed otherwise.
    subprocess.run(["/sbin/depmod", "-b", str(tree), modules.name], check=True, stderr=subprocess.DEVNULL)
    made.mkdir()
    (made / "system.cpio").write_bytes(_initramfs.pack(tree))
    [kernel] = [*tree.glob("boot/vmlinuz-*"), *modules.glob("vmlinuz")]
    kernel.rename(made / "vmlinuz")
    return made


@contextmanager
def initramfs(system: Path) -> Iterator[Path]:
    """The archive to boot with: the system, and this tree's code as it is now."""
    with tempfile.NamedTemporaryFile(dir=CACHE) as whole:
        whole.write(system.read_bytes() + _initramfs.archive(_code()))
        whole.flush()
        yield Path(whole.name)


def _code() -> dict[str, Path]:
    """The collection as AnsiballZ lays it out on a host, and what looks at the kernel with it."""
    files = {}
    for source, name in (
        (TREE / "plugins", f"{_COLLECTION}/plugins"),
        (TREE / "tests/netns", "netns"),
        (TREE / "tests/kernels/guest", "guest"),
        (_ANSIBLE / "module_utils", "ansible/module_utils"),
        (_ANSIBLE / "_vendor", "ansible/_vendor"),
    ):
        found = [path for path in source.rglob("*") if path.suffix in (".py", "")]
        files.update({f"fastopen/{name}/{path.relative_to(source)}": path for path in found})
    for module in ("__init__.py", "release.py"):
        files[f"fastopen/ansible/{module}"] = _ANSIBLE / module
    return {str(folder): TREE for name in files for folder in Path(name).parents if folder.name} | files
