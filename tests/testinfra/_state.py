# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host was found like, kept for a later comparison: sysctls, files, units.

python _state.py HOST …     keep the hosts as they are now, for test_untouched.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import _hosts

# The cookie key is left out: the kernel draws one by itself when something starts to listen with TFO, and forgets it
# only at a reboot. Services count while they run, have failed, or wait for their next start; left out are those that a
# login starts, and what a timer of the system has just begun.
SCRIPT = r"""
import hashlib, json, os, stat, subprocess

def entry(path):
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return "link to " + os.readlink(path)
    what = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(info.st_mode) else "folder"
    return f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid} {what}"

def lines(*command):
    return [line.split() for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]

sysctls = {}
ipv4 = "/proc/sys/net/ipv4"
names = [name for name in os.listdir(ipv4) if name.startswith("tcp") and name != "tcp_fastopen_key"]
for path in [*(f"{ipv4}/{name}" for name in names), "/proc/sys/net/core/somaxconn"]:
    try:
        sysctls[path] = open(path).read().split()
    except PermissionError:
        pass
files = {}
for top in ("/etc/sysctl.d", "/etc/sysctl.conf", "/etc/shadowsocks", "/etc/shadowsocks-libev", "/etc/systemd/system",
            "/var/lib/fastopen", "/var/lib/fastopen.shadowsocks", "/run/fastopen", "/run/systemd/system", "/usr/local/lib",
            "/etc/group", "/etc/gshadow", "/etc/passwd"):
    if os.path.lexists(top):
        files[top] = entry(top)
    for folder, folders, names in os.walk(top):
        files.update({f"{folder}/{name}": entry(f"{folder}/{name}") for name in folders + names})
unit_files = {line[0]: line[1] for line in lines("systemctl", "list-unit-files", "--no-legend", "--plain")}
units = lines("systemctl", "list-units", "--type=service", "--state=running,failed,activating", "--no-legend", "--plain")
services = {line[0]: line[2:4] for line in units if not line[0].startswith("user") and line[3] != "start"}
packages = {line[0]: line[1] for line in lines("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n")}
listeners = sorted(line[3] for line in lines("ss", "-Hltn"))
print(json.dumps({"sysctls": sysctls, "files": files, "unit files": unit_files, "services": services,
                  "packages": packages, "listeners": listeners}))
"""


def read(name: str) -> dict[str, Any]:
    """The host as it is now."""
    return json.loads(_hosts.host(name).check_output("python3 -c %s", SCRIPT))


def folder() -> Path:
    """Where the found states are kept."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "found"


def keep(names: list[str]) -> None:
    """Keep these hosts as they are now, and forget all others."""
    folder().mkdir(exist_ok=True)
    for old in folder().iterdir():
        old.unlink()
    for name in names:
        (folder() / f"{name}.json").write_text(json.dumps(read(name)), encoding="utf-8")


def kept() -> list[str]:
    """The hosts that were kept."""
    return sorted(path.stem for path in folder().iterdir())


def found(name: str) -> dict[str, Any]:
    """The host as it was when it was kept."""
    return json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    keep(sys.argv[1:])
