# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: what it is like, read with its own tools. Nothing of the collection is imported here.

python3 _life_seen.py prints it.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import socket
import stat
import subprocess
import time
import typing as t

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
PROXY = {"server": 1090, "client": 1080}
"""The port of a client whose requests pass the unit of that side."""
FOLDERS = ("/etc/sysctl.d", "/etc/systemd/system", "/run/systemd/system", "/etc/shadowsocks", "/run/sysctl.d")
KEPT = ("/var/lib/fastopen", "/run/fastopen", "/usr/local/lib/fastopen")
VALUE = "/proc/sys/net/ipv4/tcp_fastopen"
DROP_IN = "zz-fastopen.conf"


def run(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def see() -> dict[str, t.Any]:
    """``files`` (hash and mode by path), ``kept`` (our own state), ``value``, ``boot``, ``timers``, and by unit its
    ``argv``, ``pid`` and ``units`` (what systemd says that it will run)."""
    seen: dict[str, t.Any] = {
        "files": {path: entry(path) for top in FOLDERS for path in walk(top)},
        "kept": sorted(path for top in KEPT for path in walk(top) if not path.endswith("/lock")),
        "value": int(text(VALUE)),
        "boot": boot(),
        "timers": [line.split()[0] for line in run(*TIMERS).splitlines()],
        "argv": {},
        "pid": {},
        "units": {},
    }
    for block in run("systemctl", "show", "--property=" + _SHOWN, *UNITS.values(), "life-own.service").split("\n\n"):
        shown = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        unit, pid = shown["Id"], shown.pop("MainPID")
        seen["pid"][unit] = int(pid)
        seen["argv"][unit] = text(f"/proc/{pid}/cmdline").split("\0")[:-1]
        shown["ExecStart"] = shown.get("ExecStart", "").partition(" ; ignore_errors=")[
            0
        ]  # times and pids come after it
        seen["units"][unit] = shown
    return seen


TIMERS = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "fastopen-lease*")
_SHOWN = "Id,ActiveState,SubState,MainPID,NeedDaemonReload,DropInPaths,ExecStart,UnitFileState"


def text(path: str) -> str:
    """A file's text, empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def walk(top: str) -> list[str]:
    """A folder and all below it."""
    found = [top] if os.path.lexists(top) else []
    for folder, folders, names in os.walk(top):
        found += [f"{folder}/{name}" for name in folders + names]
    return found


def entry(path: str) -> str:
    """Mode, owner, and the content's hash."""
    info = os.lstat(path)
    what = "folder"
    if stat.S_ISLNK(info.st_mode):
        what = os.readlink(path)
    elif stat.S_ISREG(info.st_mode):
        with open(path, "rb") as stream:
            what = hashlib.sha256(stream.read()).hexdigest()[:12]
    return f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid} {what}"


def boot() -> int:
    """What the boot sets, by the names of the files alone; the kernel's 1 where none does."""
    value = 1
    names = {
        os.path.basename(path): path for top in ("/usr/lib", "/etc") for path in glob.glob(f"{top}/sysctl.d/*.conf")
    }
    for name in sorted(names):
        for line in text(names[name]).splitlines():
            key, _equals, given = line.partition("=")
            if key.strip() == "net.ipv4.tcp_fastopen":
                value = int(given)
    return value


def fetch(side: str, seconds: float = 4.0) -> str:
    """A request that passes the unit of the side; '' when it is answered, else what is wrong after ``seconds``."""
    deadline = time.monotonic() + seconds
    wrong = _fetch(PROXY[side])
    while wrong and time.monotonic() < deadline:
        time.sleep(0.05)
        wrong = _fetch(PROXY[side])
    return wrong


def _fetch(port: int) -> str:
    """SOCKS5 by hand (RFC 1928): no authentication, IPv4 address."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2.0) as stream:
            stream.settimeout(2.0)
            stream.sendall(b"\x05\x01\x00")
            if stream.recv(2) != b"\x05\x00":
                return "no SOCKS"
            stream.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("10.203.2.5") + (80).to_bytes(2, "big"))
            if stream.recv(10)[:2] != b"\x05\x00":
                return "SOCKS refuses"
            stream.sendall(b"GET / HTTP/1.0\r\nHost: 10.203.2.5\r\n\r\n")
            answer = stream.recv(64)
            return "" if b" 200 " in answer else f"answer {answer!r}"
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    print(json.dumps(see()))
