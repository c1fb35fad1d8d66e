# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of other Debian releases than this machine's, from the archives that its own apt is set up with."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_KERNEL = re.compile(r"^ *(?:Depends: )?(linux-(?:image|binary|modules)-\d\S*-cloud-amd64)$", re.MULTILINE)
_ANY_RELEASE = "Package: *\nPin: release a=*\nPin-Priority: 500\n"  # of all suites, the highest version


class Unavailable(Exception):
    """A kernel that cannot be had here; the message says why."""


class Apt:
    """apt with lists, downloads and an empty dpkg status of its own, in ``folder``; the machine's are left alone."""

    def __init__(self, folder: Path, suites: Iterable[str]) -> None:
        """Read the lists of ``suites``, as far as they can be had: old ones leave their archive, security's first."""
        self._archives = folder / "archives"
        for path in (folder / "lists/partial", self._archives / "partial", folder / "empty"):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "preferences").write_text(_ANY_RELEASE)
        sources = [
            f"deb [signed-by={KEYRING}] {uri} {suite} main\n" for suite in suites for uri in [archive(suite)] if uri
        ]
        (folder / "sources.list").write_text("".join(sources))
        options = {
            "Dir::State::Lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache::archives": self._archives,
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": folder / "empty",
            "Dir::Etc::Preferences": folder / "preferences",
            "Dir::Etc::PreferencesParts": folder / "empty",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Get::List-Cleanup": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            **{f"Acquire::IndexTargets::deb::DEP-11{kind}::DefaultEnabled": "false" for kind in ("", "-icons-small")},
        }
        self._options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        self._unread = ""
        try:
            self._run("apt-get", "update")
        except Unavailable as error:
            self._unread = f"{error} "

    def kernel(self) -> list[Path]:
        """The packages of the newest kernel: image and modules, in one package or in several."""
        quiet = [f"--no-{kind}" for kind in "recommends suggests conflicts breaks replaces enhances".split()]
        told = self._run("apt-cache", "depends", "--recurse", *quiet, "linux-image-cloud-amd64")
        return self._download(sorted(set(_KERNEL.findall(told))))

    def programs(self, names: Iterable[str]) -> list[Path]:
        """Packages by name, with all that they depend on."""
        told = self._run("apt-get", "install", "--simulate", "--no-install-recommends", *names)
        return self._download(re.findall(r"^Inst (\S+)", told, re.MULTILINE))

    def _download(self, names: list[str]) -> list[Path]:
        if not names:
            raise Unavailable(f"{self._unread}no suite of its release has it")
        before = set(self._archives.glob("*.deb"))
        self._run("apt-get", "download", *names, cwd=self._archives)
        return sorted(set(self._archives.glob("*.deb")) - before)

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        """What it prints. Raises Unavailable with its errors."""
        command = [program, *self._options, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | {"LC_ALL": "C"}
        )
        errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        if done.returncode:
            told = " ".join(errors) or f"{program} {arguments[0]} ended with status {done.returncode}"
            raise Unavailable(self._unread + told)
        return done.stdout


def archive(suite: str) -> str | None:
    """The address of the archive that has ``suite``, as the machine's sources name it; None where they do not."""
    label = "Debian-Security" if suite.endswith("-security") else "Debian"
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages", "Origin: Debian"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = dict(line.split(" ", 1) for line in told.splitlines())
    if "Debian" not in found:
        raise Unavailable("apt on this machine has no source of Debian, or no lists yet: run apt-get update")
    return found.get(label)
