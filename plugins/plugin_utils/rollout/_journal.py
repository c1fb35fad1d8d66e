# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON reports on the controller: one file a run, complete and readable at every moment."""

from __future__ import annotations

import datetime
import getpass
import glob
import json
import os
import socket
import tempfile
import typing as t


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def who() -> str:
    """Who runs this, USER@MACHINE, as a host's claim names it too."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def process(pid: int) -> str:
    """A process by this machine's boot, its namespace of process ids and its id in there; '' where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            boot = stream.read().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')} {pid}"
    except OSError:
        return ""


def gone(told: str) -> bool:
    """Whether the process that ``process`` told of has ended; False where this machine cannot know of it."""
    pid = told.rpartition(" ")[2]
    if not told or process(int(pid)) != told:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's
        pass
    return False


def start(folder: str, kind: str, content: t.Mapping[str, t.Any]) -> str:
    """Begin a report in folder, which is made where it is missing, and give its path. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S.%f")[:-3]
    path = os.path.join(os.path.abspath(folder), f"{kind}-{stamp}Z.json")
    _write(path, {"kind": kind, "started": now(), **content})
    return path


def append(path: str, event: t.Mapping[str, t.Any]) -> None:
    """Add an event to a report; a run killed later leaves it there. Raises OSError, ValueError."""
    report = read(path)
    report.setdefault("events", []).append({"time": now(), **event})
    _write(path, report)


def read(path: str) -> dict[str, t.Any]:
    """The report. Raises OSError, ValueError."""
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def newest(folder: str, kind: str) -> str:
    """The path of the report of this kind that was begun last, '' where there is none."""
    return max(glob.glob(os.path.join(glob.escape(os.path.abspath(folder)), f"{kind}-*.json")), default="")


def _write(path: str, report: t.Mapping[str, t.Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".new")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(report, stream, indent=2)
        stream.write("\n")
    os.rename(temporary, path)
