# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts' images: a small Debian with systemd, plain and with shadowsocks-libev as apt leaves it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _machine import CACHE, NEXT, SSH_KEY, locked, podman, run, say

RECIPE = Path(__file__).parent / "image"
NAME = "localhost/fastopen-fleet"
RELEASES = ("bookworm", "trixie")
INCLUDE = (
    "systemd systemd-sysv dbus python3 iproute2 procps openssh-server curl tcpdump nftables iptables "
    "ca-certificates iputils-ping"
).split()


def tag(release: str, variant: str) -> str:
    """`variant` is "plain" or "ss"; the tag carries a hash of everything that went into the image."""
    suffix = "-ss" if variant == "ss" else ""
    return f"{NAME}:{release}{suffix}-{_digest(release)}"


def build(releases: Collection[str] = RELEASES) -> None:
    """Build what is missing, the releases side by side; nothing when the recipes are unchanged."""
    with locked("images.lock"), ThreadPoolExecutor(len(releases)) as pool:
        list(pool.map(_build_release, releases))


def _build_release(release: str) -> None:
    variants = ("plain",) if release == NEXT else ("plain", "ss")
    wanted = {variant: tag(release, variant) for variant in variants}
    existing = set(podman("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    if existing >= set(wanted.values()):
        return
    base = f"{NAME}:{release}-base-{_base_digest(release)}"
    if base not in existing:
        _import_base(release, base)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(RECIPE, folder, dirs_exist_ok=True)
        shutil.copy(SSH_KEY.with_suffix(".pub"), Path(folder, "authorized_keys"))
        Path(folder, "apt-proxy.conf").write_text(_apt_proxy())
        for variant, name in wanted.items():
            say(f"{release}: {variant} image")
            build_args = ("--build-arg", f"BASE={base}", "--target", variant)
            podman("build", "--quiet", "--isolation=chroot", "--network=host", *build_args, "--tag", name, folder)
    for old in existing:
        if old.startswith(f"{NAME}:{release}-") and old not in {base, *wanted.values()}:
            podman("rmi", old, check=False)


def _import_base(release: str, base: str) -> None:
    archive = CACHE / f"fleet/{base.rpartition(':')[2]}.tar"
    if not archive.exists():
        say(f"{release}: mmdebstrap")
        for old in archive.parent.glob(f"{release}-base-*.tar"):
            old.unlink()
        part = archive.with_suffix(".part.tar")
        options = [f"--aptopt={line}" for line in _apt_proxy().splitlines()]
        if release == NEXT:  # what it consists of is valid for a week, and a mirror may be older
            options.append('--aptopt=Acquire::Check-Valid-Until "false"')
        run("mmdebstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", *options, release, str(part))
        part.rename(archive)
    say(f"{release}: import")
    podman("import", str(archive), base)


def _apt_proxy() -> str:
    """This machine's proxy for Debian packages, as lines of apt.conf(5); empty without one."""
    lines = run("apt-config", "dump", "Acquire::http::Proxy", check=False) if shutil.which("apt-config") else ""
    return "".join(f"{line}\n" for line in lines.splitlines() if '""' not in line)


def _base_digest(release: str) -> str:
    return hashlib.sha256(" ".join([release, *INCLUDE]).encode()).hexdigest()[:12]


def _digest(release: str) -> str:
    digest = hashlib.sha256(_base_digest(release).encode())
    for path in sorted(RECIPE.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(RECIPE)} {path.stat().st_mode & 0o111:o}\n".encode() + path.read_bytes())
    digest.update(SSH_KEY.with_suffix(".pub").read_bytes() + _apt_proxy().encode())
    return digest.hexdigest()[:12]
