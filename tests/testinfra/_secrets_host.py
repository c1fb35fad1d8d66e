# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host, or on the controller: where planted secrets turn up. The standard library of Python 3.9 only.

python3 _secrets_host.py watch OUT MARK     processes with one in arguments or environment, until killed: those of this network
                                            namespace, and of each in which a process has MARK among its arguments
python3 _secrets_host.py spy MARK           what this user can read of other processes' open files, until killed
python3 _secrets_host.py files SINCE TOP…   files below TOP changed since then (seconds since the epoch) that hold one

Of what is looked for, {name: [text, …]}, ``watch`` and ``files`` read the JSON from standard input. Each writes JSON lines.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import time

PAUSE_SECONDS = 0.03
MOST_BYTES = 1 << 28
ELSEWHERE = ("/proc", "/sys", "/dev/pts")


def found(content: bytes, wanted: dict[str, list[str]]) -> list[str]:
    """The names of the secrets that the content holds."""
    return [name for name, texts in wanted.items() if any(text.encode() in content for text in texts)]


def namespaces(mark: str) -> dict[str, list[str]]:
    """Every process that this one may look at, by its network namespace, where it is ours or has the mark."""
    found: dict[str, list[str]] = {}
    marked = {os.readlink("/proc/self/ns/net")}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            where = os.readlink(f"/proc/{pid}/ns/net")
        except OSError:
            continue
        found.setdefault(where, []).append(pid)
        if mark.encode() in read(f"/proc/{pid}/cmdline"):
            marked.add(where)
    return {where: pids for where, pids in found.items() if where in marked}


def read(path: str) -> bytes:
    """What a file holds, b"" where it is gone or not ours to read."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def watch(out: str, mark: str) -> None:
    """One line a process and secret."""
    wanted, known = json.load(sys.stdin), set()
    with open(out, "w", encoding="utf-8") as stream:
        while True:
            for pid in [pid for pids in namespaces(mark).values() for pid in pids if int(pid) != os.getpid()]:
                for where in ("cmdline", "environ"):
                    for name in found(read(f"/proc/{pid}/{where}"), wanted):
                        first = read(f"/proc/{pid}/cmdline").split(b"\0")[0].decode(errors="replace")
                        line = json.dumps({"secret": name, "where": where, "program": first, "pid": pid})
                        if line not in known:
                            known.add(line)
                            stream.write(line + "\n")
                            stream.flush()
            time.sleep(PAUSE_SECONDS)


def spy() -> None:
    """How many descriptors of others were tried, at the end, and before that the content of those that could be read."""
    tried, own = 0, str(os.getpid())

    def end(*_arguments: object) -> None:
        print(json.dumps({"tried": tried}), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for number in range(3, 16) if pid != own else ():
                tried += 1
                content = read(f"/proc/{pid}/fd/{number}")
                if content:
                    print(json.dumps({"content": base64.b64encode(content).decode()}), flush=True)
        time.sleep(PAUSE_SECONDS)


def files(since: float, tops: list[str]) -> None:
    """One line a file and secret, with mode and owner; of a file whose name tells one, too. The journal is one of them."""
    wanted = json.load(sys.stdin)
    for top in tops:
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if os.path.join(folder, name) not in ELSEWHERE]
            for path in (os.path.join(folder, name) for name in names):
                try:
                    info = os.lstat(path)
                except OSError:
                    continue
                changed = stat.S_ISREG(info.st_mode) and info.st_ctime >= since and info.st_size < MOST_BYTES
                content = path.encode(errors="replace") + (read(path) if changed else b"")
                for name in found(content, wanted):
                    owner = f"{info.st_uid}:{info.st_gid}"
                    print(
                        json.dumps(
                            {"secret": name, "path": path, "mode": f"{info.st_mode & 0o7777:04o}", "owner": owner}
                        )
                    )
    if "/" in tops:
        told = subprocess.run(["journalctl", "-o", "export", "--all"], stdout=subprocess.PIPE, check=True).stdout
        for name in found(told, wanted):
            print(json.dumps({"secret": name, "path": "journal", "mode": "", "owner": ""}))


if __name__ == "__main__":
    if sys.argv[1] == "watch":
        watch(*sys.argv[2:])
    elif sys.argv[1] == "spy":
        spy()
    else:
        files(float(sys.argv[2]), sys.argv[3:])
