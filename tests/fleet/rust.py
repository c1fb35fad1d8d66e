# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""shadowsocks-rust for the fleet: its programs, static, from crates.io, and an archive of them as upstream publishes it.

    python3 tests/fleet/rust.py             # print the folder of sslocal, ssserver and ssservice
    python3 tests/fleet/rust.py --archive   # print the path of the archive; its .sha256 lies beside it

The first call builds, for minutes; what it made stays in the cache until version, features, target or profile change.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import io
import os
import platform
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from _machine import CACHE, FleetError, locked, require, run, say

VERSION = "1.25.0"
PROGRAMS = ("sslocal", "ssserver", "ssservice")
# hickory-dns: without it `dns` is read and ignored, and names are resolved otherwise than by upstream's programs
FEATURES = (
    "server local local-redir local-tunnel service aead-cipher aead-cipher-2022 multi-threaded hickory-dns logging"
).split()
# static; where its standard library cannot be had, for the C library of this machine, which the fleet's hosts need then
TARGETS = tuple(f"{platform.machine()}-unknown-linux-{library}" for library in ("musl", "gnu"))
# half the compiling of opt-level 3, and as fast: the ciphers are C and assembly (aws-lc)
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
}
PACKAGES = {"gcc": "cc", "musl-tools": "musl-gcc"}


class Built(NamedTuple):
    """What one build leaves in the cache."""

    programs: Path
    archive: Path

    @property
    def sha256(self) -> str:
        """The archive's, in hexadecimal."""
        return _beside(self.archive).read_text(encoding="ascii").split()[0]


def build() -> Built:
    """Build what is not in the cache yet; another caller waits and then finds it.

    Raises FleetError, which says what to install, where the machine cannot build.
    """
    return _cached() or _built_now()


def _cached() -> Built | None:
    found = (Built(_folder(target) / "bin", _folder(target) / archive_name(target)) for target in TARGETS)
    return next((built for built in found if built.archive.exists()), None)


def _built_now() -> Built:
    with locked("rust.lock"):
        if _cached() is None:
            _build()
    built = _cached()
    assert built is not None
    return built


def _folder(target: str) -> Path:
    return CACHE / "fleet" / f"shadowsocks-rust-{key(target)}"


def key(target: str) -> str:
    """The name of what VERSION, target, FEATURES and PROFILE make; the order of features is of no account."""
    parts = [VERSION, target, *sorted(FEATURES), *sorted(map("=".join, PROFILE.items())), *PROGRAMS]
    return f"{VERSION}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"


def archive_name(target: str) -> str:
    """The name that upstream gives to its release for a target (build/build-release in its repository)."""
    return f"shadowsocks-v{VERSION}.{target}.tar.xz"


def pack(programs: Path, archive: Path) -> None:
    """Write `archive` and `archive`.sha256: the programs at the top as in upstream's, the same bytes for the same programs."""
    with tarfile.open(archive, "w:xz", format=tarfile.USTAR_FORMAT) as tar:
        for name in PROGRAMS:
            content = (programs / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uname, member.gname = len(content), 0o755, "root", "root"
            tar.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    _beside(archive).write_text(f"{digest}  {archive.name}\n", encoding="ascii")


@contextmanager
def served(folder: Path, address: str) -> Iterator[str]:
    """Serve the files of `folder` over HTTP from this machine while the block runs; gives the URL of the folder.

    The fleet's hosts reach the machine at the first address of each of their networks, such as 10.203.0.1; a fleet
    beside the first one reaches only what runs inside of it (`fleet inside`).
    """
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer((address, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{address}:{server.server_address[1]}/"
        finally:
            server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the tests' output is read by people."""


def _beside(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.sha256")


def _build() -> None:
    """What an interrupted build had compiled is kept for the next; the folder appears whole."""
    require(PACKAGES)
    cargo, target = _tool("cargo"), _target()
    folder = _folder(target)
    part = folder.with_name(f"{folder.name}.part")
    say(f"shadowsocks-rust {VERSION}: cargo builds it, which takes minutes the first time")
    chosen = [word for name in PROGRAMS for word in ("--bin", name)]
    places = ["--root", str(part), "--target-dir", str(part / "target"), "--target", target]
    features = ["--no-default-features", "--features", ",".join(FEATURES)]
    run(
        *(cargo, "install", "shadowsocks-rust", "--version", f"={VERSION}", "--locked", "--force", "--no-track"),
        *(*features, *chosen, *places),
        env=PROFILE,
    )
    pack(part / "bin", part / archive_name(target))
    shutil.rmtree(part / "target")
    part.rename(folder)


def _target() -> str:
    """The first target whose standard library is here, or can be had: rustup fetches it, a distribution's Rust brings it."""
    wanted, other = TARGETS
    library = run(_tool("rustc"), "--print", "target-libdir", "--target", wanted).strip()
    if not Path(library).exists():
        try:
            run(_tool("rustup"), "target", "add", wanted)
        except FleetError as error:
            say(f"{error}\nso it is built for {other}")
            return other
    return wanted


def _tool(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{Path.home() / '.cargo/bin'}")
    if path is None:
        raise FleetError(f"{name} is missing here: install Rust with rustup, see https://rustup.rs")
    return path


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", action="store_true", help="print the archive's path instead of the folder")
    arguments = parser.parse_args()
    try:
        built = build()
    except FleetError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1
    print(built.archive if arguments.archive else built.programs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
