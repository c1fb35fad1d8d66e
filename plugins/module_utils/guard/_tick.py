# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's tick: a few counters compared, and the whole program started only where they raise suspicion.

The role installs this file alone. It imports next to nothing, for every import is paid at every tick.
"""

from __future__ import annotations

import os
import sys
import time

PROGRAM = "/usr/local/lib/fastopen/fastopen"
RECORD = "/var/lib/fastopen/record.json"
LEASE = "/run/fastopen/lease.json"
STATE = "/run/fastopen/guard/tick"
LOST_WEIGHT = 1.79
"""ln(0.30 / 0.05): by how much a SYN that was sent again speaks for a path that loses 30 % rather than 5 %."""
FINE_WEIGHT = 0.305
"""ln(0.95 / 0.70): by how much acknowledged SYN data speaks against that."""
HALF_LIFE_SECONDS = 600.0
MOST = 100.0
"""Suspicion grows no further: a long outage must not take as long to be forgotten."""
SAMPLES = {
    'tfo_syn_data_total{side="client",result="acked"}': "TCPFastOpenActive",
    'tfo_syn_data_total{side="client",result="failed"}': "TCPFastOpenActiveFail",
    'tfo_syn_data_total{side="server",result="accepted"}': "TCPFastOpenPassive",
    'tfo_syn_data_total{side="server",result="refused"}': "TCPFastOpenPassiveFail",
    'tfo_syn_data_total{side="server",result="overflow"}': "TCPFastOpenListenOverflow",
}
"""Metrics that are counters of the kernel, by their sample in the textfile."""
LOST = "TCPSynRetrans"
"""Without this counter nothing raises suspicion."""
RAN = "tfo_guard_last_run_timestamp_seconds"
MARK = "# Written by the guard of fastopen.shadowsocks\n"


def level(before: float, seconds: float, acked: float, lost: float) -> float:
    """The suspicion after so many seconds in which ``acked`` connections had their SYN data acknowledged and ``lost`` SYNs
    were sent again: a CUSUM (Page 1954) of the likelihood ratio, the losses last, as if the path had just begun to lose.
    """
    aged = before * 0.5 ** (max(0.0, seconds) / HALF_LIFE_SECONDS)
    return min(MOST, max(0.0, aged - FINE_WEIGHT * max(0, acked)) + LOST_WEIGHT * max(0, lost))


def counters(path: str = "/proc/net/netstat") -> dict[str, str]:
    """{name: text} of the group TcpExt; a line of names, then a line of numbers."""
    with open(path, "rb") as stream:
        rows = [
            line.split()[1:] for line in stream.read().decode("ascii", "replace").split("\n") if line[:7] == "TcpExt:"
        ]
    return dict(zip(*rows[:2])) if len(rows) > 1 else {}


def counted() -> tuple[dict[str, str], str]:
    """The counters, and why they cannot be read, if so."""
    try:
        return counters(), ""
    except OSError as error:
        return {}, str(error.strerror)


def signature(record: str = RECORD, lease: str = LEASE, sysctl: str = "/proc/sys/net/ipv4/tcp_fastopen") -> str:
    """What changes when somebody steps, confirms, undoes, or sets the bits: then everything is looked at anew."""
    told = ""
    for path in (
        record,
        lease,
    ):  # a run that holds the host renews its lease at every call: units may be under it by then
        try:
            kept = os.stat(path)
            told += f"{kept.st_ino}.{kept.st_mtime_ns}/"
        except OSError:
            told += "-/"
    with open(sysctl, "rb") as stream:
        value = stream.read().strip().decode("ascii", "replace")
    return f"{told}{value}"


def read(path: str = "") -> dict[str, str]:
    """What the last tick kept, {key: text}; {} where nothing can be read."""
    try:
        with open(path or STATE, encoding="ascii") as stream:
            return dict(line.rstrip("\n").split(" ", 1) for line in stream)
    except (OSError, ValueError):
        return {}


def write(kept: dict[str, object], path: str = "") -> None:
    """Keep {key: value} for the next tick."""
    path = path or STATE
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    replace(path, "".join(f"{key} {value}\n" for key, value in kept.items()), 0o600)


def replace(path: str, text: str, mode: int) -> None:
    """Put the file there whole or not at all. Raises OSError."""
    half = f"{os.path.dirname(path)}/.{os.path.basename(path)}.new"
    try:
        os.unlink(half)
    except FileNotFoundError:
        pass
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        os.fchmod(handle, mode)
        stream.write(text)
    os.rename(half, path)


def refreshed(text: str, now: float, found: dict[str, str]) -> str:
    """A textfile of ours with the kernel's counters as they are now."""
    lines = []
    for line in text.split("\n"):
        name = line.rpartition(" ")[0]
        if name == RAN:
            line = f"{RAN} {now:.0f}"
        elif SAMPLES.get(name) in found:
            line = f"{name} {found[SAMPLES[name]]}"
        lines.append(line)
    return "\n".join(lines)


def refresh(folder: str, now: float, found: dict[str, str]) -> None:
    """Bring the counters in the textfile up to date, where it is ours; what it cannot do the next look will tell."""
    path = f"{folder}/fastopen.prom"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, encoding="utf-8") as stream:
            text = stream.read()
        if text.startswith(MARK):
            replace(path, refreshed(text, now, found), 0o644)
    except (OSError, ValueError):
        pass


def due(kept: dict[str, str], now: float, found: dict[str, str], seen: str) -> tuple[str, dict[str, object]]:
    """Why the whole program must look now, '' where it need not, and what to keep for the next tick."""
    try:
        before = {
            key: float(kept[key]) for key in ("at", "acked", "lost", "level", "threshold", "not_before", "look_at")
        }
        watched = kept["watched"] == "1"
    except (KeyError, ValueError):
        return "look", {}
    acked, lost = (int(found.get(name, before[key])) for name, key in (("TCPFastOpenActive", "acked"), (LOST, "lost")))
    rise = (
        level(before["level"], now - before["at"], acked - before["acked"], lost - before["lost"]) if watched else 0.0
    )
    after = {**kept, "at": now, "acked": acked, "lost": lost, "level": rise}
    if kept.get("blind") != str(int(LOST not in found)):  # it has gone or is back, and says nothing of the time between
        return "look", {**after, "level": before["level"]}
    if rise >= before["threshold"] and not now < before["not_before"] <= now + 2 * HALF_LIFE_SECONDS:
        return "suspicion", after
    if kept.get("signature") != seen or not now < before["look_at"] <= now + 2 * HALF_LIFE_SECONDS:
        return "look", after
    return "", after


def main(arguments: list[str]) -> int:
    """One tick; the arguments are those of the program's command `guard`, and --textfile is read here, too."""
    now = time.time()
    found, _unread = counted()
    why, after = due(read(), now, found, signature())
    try:
        if after:
            write(after)
    except OSError as error:  # what was kept before still counts
        sys.stdout.write(f"the tick cannot be kept: {error}\n")
        sys.stdout.flush()
    if not why:
        told = after.get("whole") != "0"  # after a look that failed its figures are seen to be old
        for folder in [word[11:] for word in arguments if told and word[:11] == "--textfile=" and word[11:]]:
            refresh(folder, now, found)
        return 0
    if not os.path.exists(PROGRAM):
        sys.stdout.write(f"{PROGRAM} is gone: nothing is under TFO by us, and nothing is guarded\n")
        return 0
    os.execv(sys.executable, [sys.executable, "-I", "-S", PROGRAM, "guard", f"--because={why}", *arguments])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
