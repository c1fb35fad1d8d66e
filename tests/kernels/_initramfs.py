# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel is booted with: Debian packages, and files of this tree, as cpio archives (one behind the other)."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

MERGED = ("bin", "sbin", "lib", "lib64")  # links into /usr, as every Debian from 12 on has them
_LEFT_OUT = re.compile(
    r"boot|var/cache|usr/share/(?!python3$)"
    r"|usr/lib/(perl.*|x86_64-linux-gnu/(perl.*|gconv))$"
    r"|usr/lib/python3[^/]*/(test|idlelib|tkinter|pydoc_data|lib2to3|ensurepip)$"
    r"|usr/lib/modules/[^/]+/kernel/(?!(net|lib|crypto|arch)(/|$)|drivers(/net(/veth.*)?)?$)"
)
"""Of Debian's packages: a kernel's test needs Python, ip, nft, modprobe, and the modules of its network."""


def unpack(packages: Iterable[Path], folder: Path) -> None:
    """Lay packages out in ``folder``; none of their scripts runs."""
    for name in MERGED:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as source:
            command = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(folder)]
            subprocess.run(command, stdin=source.stdout, check=True)


def pack(tree: Path) -> bytes:
    """A folder as a cpio archive, without what a kernel's test does not need."""
    return archive({str(path.relative_to(tree)): path for path in _walk(tree, tree)})


def archive(files: dict[str, Path]) -> bytes:
    """Files, links and folders by their name inside, as a cpio archive of root's (initramfs buffer format, newc)."""
    parts = []
    for number, (name, path) in enumerate(sorted(files.items()), 1):
        mode = path.lstat().st_mode
        content = os.readlink(path).encode() if stat.S_ISLNK(mode) else b"" if stat.S_ISDIR(mode) else path.read_bytes()
        parts.append(_entry(name, mode, number, content))
    return b"".join([*parts, _entry("TRAILER!!!", 0, 0, b"")])


def _walk(folder: Path, root: Path) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        if not _LEFT_OUT.match(str(path.relative_to(root))):
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from _walk(path, root)


def _entry(name: str, mode: int, number: int, content: bytes) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
