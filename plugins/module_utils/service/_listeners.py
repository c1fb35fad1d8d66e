# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a port of this network namespace: the socket's address, its process, and the unit of that."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
import typing as t

_TABLES = {"tcp": b"0A", "tcp6": b"0A", "udp": b"07", "udp6": b"07"}
"""The state of a listener, and of a UDP socket without a peer (include/net/tcp_states.h)."""


class Holder(t.NamedTuple):
    """A socket that is bound to a port. ``pid`` 0: its process cannot be told; ``unit`` '': it is of none.
    Of a process that cannot be told, ``maybe`` are the units that it may be of, '' for none."""

    protocol: str
    address: str
    port: int
    pid: int = 0
    program: str = ""
    unit: str = ""
    maybe: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For messages."""
        of = f", {self.unit}" if self.unit else ""
        who = f"pid {self.pid} ({self.program}{of})" if self.pid else f"a process of {self.program or 'nobody'}"
        return f"{self.protocol} port {self.port} on {self.address} is held by {who}"


def holders(ports: t.Optional[t.Collection[int]], likely: t.Iterable[int] = (), proc: str = "/proc") -> list[Holder]:
    """The sockets on these ports, or on all (None). Processes ``likely`` to hold them are looked at first: all others cost
    a walk.

    The descriptors of other users' processes are hidden from a root without CAP_SYS_PTRACE (proc(5)), as in a container.
    The socket's user is not: where all processes of that user are one program's or one unit's, it is theirs.
    """
    left: dict[int, tuple[int, Holder]] = {}
    for table, state in _TABLES.items():
        for inode, uid, address, port in _bound(f"{proc}/net/{table}", state):
            if ports is None or port in ports:
                # Listeners of Multipath TCP have no inode of their own (net/mptcp/subflow.c): 0, all of them.
                left[inode or -len(left) - 1] = (uid, Holder(table[:3], address, port))
    found = []
    for pids in (list(likely), None):
        for pid in _processes(proc) if pids is None and left else pids or ():
            for inode in _inodes(pid, proc) & set(left):
                found.append(_of(left.pop(inode)[1], pid, proc))
    users = _users(proc) if left else {}
    for uid, holder in left.values():
        holding = [_of(holder, pid, proc) for pid in users.get(uid, [])]
        same = len({one.unit or one.pid for one in holding}) == 1
        maybe = tuple(sorted({one.unit for one in holding}))
        found.append(holding[0] if same else holder._replace(program=f"user {uid}", maybe=maybe))
    return sorted(found)


def tcp(likely: t.Iterable[int] = (), proc: str = "/proc") -> list[Holder]:
    """Every TCP listener of this network namespace; ``likely`` as in ``holders``."""
    return [holder for holder in holders(None, likely, proc=proc) if holder.protocol == "tcp"]


def told(found: t.Iterable[Holder]) -> list[dict[str, t.Any]]:
    """{address, port, program, unit} of each in their order; several processes of one, such as workers, are one."""
    rows = dict.fromkeys((one.address, one.port, one.program, one.unit) for one in found)
    return [dict(zip(("address", "port", "program", "unit"), row)) for row in rows]


def _of(holder: Holder, pid: int, proc: str) -> Holder:
    program, unit = named(pid, proc)
    return holder._replace(pid=pid, program=program, unit=unit)


def _users(proc: str) -> dict[int, list[int]]:
    """The processes by their user."""
    found: dict[int, list[int]] = {}
    for pid in _processes(proc):
        try:
            with open(f"{proc}/{pid}/status", "rb") as stream:
                uid = re.search(rb"^Uid:\s+[0-9]+\s+([0-9]+)", stream.read(), re.MULTILINE)
        except OSError:
            continue
        if uid:
            found.setdefault(int(uid[1]), []).append(pid)
    return found


def _bound(path: str, state: bytes) -> t.Iterator[tuple[int, int, str, int]]:
    """Inode, user, address and port of each socket in this state (net/ipv4/tcp_ipv4.c, get_tcp4_sock)."""
    try:
        with open(path, "rb") as stream:
            rows = [line.split() for line in stream.readlines()[1:]]
    except OSError:
        return
    for row in rows:
        if len(row) > 9 and row[3] == state:
            address, _colon, port = row[1].partition(b":")
            words = bytes.fromhex(address.decode("ascii"))
            # Each 32-bit word is printed as this machine's number, so its bytes are turned round on little-endian ones.
            numbers = [int.from_bytes(words[at : at + 4], "big") for at in range(0, len(words), 4)]
            raw = b"".join(number.to_bytes(4, sys.byteorder) for number in numbers)
            bound = ipaddress.ip_address(raw)
            bound = getattr(bound, "ipv4_mapped", None) or bound  # an IPv6 socket of an IPv4 address has that (ipv6(7))
            yield int(row[9]), int(row[7]), str(bound), int(port, 16)


def _processes(proc: str) -> list[int]:
    return sorted(int(name) for name in os.listdir(proc) if re.fullmatch(r"[0-9]+", name))


def _inodes(pid: int, proc: str) -> set[int]:
    found = set()
    try:
        for name in os.listdir(f"{proc}/{pid}/fd"):
            target = re.fullmatch(r"socket:\[([0-9]+)\]", os.readlink(f"{proc}/{pid}/fd/{name}"))
            if target:
                found.add(int(target[1]))
    except OSError:  # it has ended, or it is not for us to see
        return found
    return found


def named(pid: int, proc: str) -> tuple[str, str]:
    """The process's name, and the innermost service of its control group (cgroups(7))."""
    program = unit = ""
    try:
        with open(f"{proc}/{pid}/comm", "rb") as stream:
            program = stream.read().rstrip(b"\n").decode(errors="replace")
        with open(f"{proc}/{pid}/cgroup", "rb") as stream:
            parts = [part for line in stream.read().split(b"\n") for part in line.split(b"/")]
        services = [part.decode(errors="replace") for part in parts if part.endswith(b".service")]
        unit = services[-1] if services else ""
    except OSError:
        pass
    return program, unit
