# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bits 0x1, 0x2 and 0x400 of net.ipv4.tcp_fastopen and their line for the boot: the one place that writes them.

Whoever needs a bit says so in Wants; what nobody needs any more goes back to what was there before.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _lines,
    _proc,
    _ss_processes,
    _sysctl_files,
    _tfo_bits,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError, below
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

KEY = _proc.FASTOPEN
SEND = _tfo_bits.SEND
OURS = SEND | _tfo_bits.ACCEPT | _tfo_bits.ALL_LISTENERS
FILE = "/etc/sysctl.d/99-tfo.conf"


@dataclasses.dataclass(frozen=True)
class Wants:
    """Who wants what: ``needed`` by services, ``asked`` and ``refused`` by role tcp_fastopen; all are masks of OURS.

    ``killed``: the kill switch is on, and 0x2 stays off whoever wants it.
    """

    needed: int = 0
    asked: int = 0
    refused: int = 0
    killed: bool = False

    @property
    def on(self) -> int:
        """The bits that must be set."""
        return (self.needed | self.asked) & ~self.off

    @property
    def off(self) -> int:
        """The bits that must be clear."""
        return self.refused | (_tfo_bits.ACCEPT if self.killed else 0)


class RunTime(t.NamedTuple):
    """The value now and after, the bits of it that we raised, why a bit stays although nobody wants it, and the bits
    that we lowered: set before, and clear because somebody refuses them."""

    before: int
    after: int
    raised: int
    kept: list[str]
    lowered: int = 0


def plan_run_time(value: int, wants: Wants, raised: int, processes: t.Sequence[str] = (), lowered: int = 0) -> RunTime:
    """``raised`` are the bits that we had set, ``lowered`` those that we had cleared; what nobody wants or refuses any
    more goes back, but 0x1 under ``processes`` that need it."""
    clear = (wants.off | (raised & ~wants.on)) & value
    kept = []
    if clear & SEND and processes:
        clear &= ~SEND
        kept.append(f"bit 0x1 stays: without it these would exit or fail: {'; '.join(processes)}")
    after = (value | wants.on | (lowered & ~wants.off)) & ~clear
    return RunTime(
        value,
        after,
        (raised | (wants.on & ~value & ~lowered)) & after & OURS,
        kept,
        (lowered | (clear & ~raised)) & ~after & OURS,
    )


def run_time(
    wants: Wants,
    raised: int,
    *,
    root: str = "/",
    ending: t.Collection[int] = (),
    lower: bool = False,
    lowered: int = 0,
) -> RunTime:
    """What the kernel's value is and is to be; ``write`` it afterwards. ``ending`` processes are not counted.

    On a way down (``lower``) the bits that we raised and nobody wants go back; on a way up they stay.
    """
    value = value_of(root)
    if not lower:
        wants = dataclasses.replace(wants, needed=wants.needed | (raised & value))
    return plan_run_time(value, wants, raised, busy(root, ending), lowered)


def value_of(root: str = "/") -> int:
    """The kernel's value. Raises KernelError where it has none."""
    text = _proc.read_sysctl(_proc.FASTOPEN, below(root, "proc"))
    if text is None:
        raise KernelError(
            "This kernel has no net.ipv4.tcp_fastopen: TCP Fast Open needs Linux 3.7 or later, in a container 4.15."
        )
    return _tfo_bits.parse(text)


def busy(root: str = "/", ending: t.Collection[int] = ()) -> list[str]:
    """The processes that need 0x1, as a message names them, without those that are ``ending``."""
    return [
        f"{process.program} (pid {process.pid}): {process.reason}"
        for process in _ss_processes.find(below(root, "proc"))
        if process.pid not in ending
    ]


def write(planned: RunTime, *, root: str = "/") -> None:
    """Write the value and read it back. Raises KernelError."""
    if planned.after == planned.before:
        return
    proc = below(root, "proc")
    try:
        _proc.write_sysctl(_proc.FASTOPEN, str(planned.after), proc)
    except OSError as error:
        raise KernelError(
            f"net.ipv4.tcp_fastopen cannot be written: {error.strerror}. Run it as root (become: true); in a container"
            " /proc/sys/net must be writable."
        ) from error
    if _proc.read_sysctl(_proc.FASTOPEN, proc) != str(planned.after):
        raise KernelError("The kernel did not keep the value written to net.ipv4.tcp_fastopen.")


@dataclasses.dataclass(frozen=True)
class Line:
    """Our line: in which file, which lines stood there before, and the value that we wrote. It is kept before it is
    written, so ``was`` is the value of our line that it takes the place of, and may still be there."""

    file: str
    before: tuple[str, ...]
    ours: str
    was: t.Optional[str] = None

    @property
    def written(self) -> Line:
        """The same, once its file has it."""
        return dataclasses.replace(self, was=None)


class Boot(t.NamedTuple):
    """The file's state now and after, our line in it (None: none needed), and the value that the boot will set.

    ``left``: another file that our line stood in, as its path, its state now and after."""

    path: str
    old: t.Optional[_files.State]
    new: t.Optional[_files.State]
    line: t.Optional[Line]
    value: int
    left: t.Optional[tuple[str, t.Optional[_files.State], t.Optional[_files.State]]] = None

    @property
    def files(self) -> dict[str, tuple[t.Optional[_files.State], t.Optional[_files.State]]]:
        """The files that change: their states now and after, by path."""
        states = [(self.path, self.old, self.new), *([self.left] if self.left else [])]
        return {path: (old, new) for path, old, new in states if not _files.same(old, new)}


def plan_boot(wants: Wants, line: t.Optional[Line], *, file: str = FILE, root: str = "/") -> Boot:
    """What the boot needs: a line of ours only where the files of others do not give the wanted bits already.

    ``line`` is what we wrote before; one that was changed since is somebody else's by now, and one in another file goes
    back there. Raises KernelError where another file would decide otherwise, or ``file`` is not read at boot.
    """
    path = os.path.realpath(below(root, file))
    old = _files.read(path)
    before, left, was = tuple(_lines.lines_of(old, _proc.FASTOPEN)), None, None
    if line is not None:
        place = os.path.realpath(below(root, line.file))
        there = _files.read(place)
        value_there = _lines.value_of(there, _proc.FASTOPEN)
        if value_there is not None and value_there in (line.ours, line.was):
            if place == path:
                before, was = line.before, value_there
            else:
                left = (place, there, _lines.replaced(there, _proc.FASTOPEN, line.before))
    others = {left[0]: left[2]} if left else {}
    original = _lines.replaced(old, _proc.FASTOPEN, before)
    base, _winner = _decided({**others, path: original}, root)
    value = (base | wants.on) & ~wants.off
    if value == base:
        return Boot(path, old, original, None, base, left)
    new = _lines.replaced(old, _proc.FASTOPEN, [f"{_proc.FASTOPEN} = {value}"])
    decided, winner = _decided({**others, path: new}, root)
    if (decided ^ value) & (wants.on | wants.off):
        if _sysctl_files.is_masked(root):
            raise KernelError(
                f"systemd-sysctl.service is masked: no boot reads {file}. systemctl unmask systemd-sysctl"
            )
        if winner is None:
            raise KernelError(f"{file} is not read at boot here. Name a file in /etc/sysctl.d that ends in .conf.")
        raise KernelError(
            f"At boot {winner} sets {_proc.FASTOPEN} after {file} and wins. Remove that line from {winner}, or name"
            " a file that sorts after it."
        )
    return Boot(path, old, new, Line(file, before, str(value), None if was == str(value) else was), decided, left)


def run_time_diff(before: int, after: int) -> dict[str, str]:
    """Ansible's diff of the run-time value."""
    return _diff("run time", [f"{KEY} = {before}"], [f"{KEY} = {after}"])


def boot_diff(boot: Boot) -> list[dict[str, str]]:
    """Likewise of the key's lines in the files; other lines may hold a cookie key."""
    lines = {path: [_lines.lines_of(state, KEY) for state in states] for path, states in boot.files.items()}
    return [_diff(path, before, after) for path, (before, after) in lines.items() if before != after]


def _diff(name: str, *lines: t.Sequence[str]) -> dict[str, str]:
    before, after = ("".join(f"{line}\n" for line in some) for some in lines)
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def persist(boot: Boot) -> None:
    """Bring the files about. Raises OSError."""
    for path, (_old, new) in boot.files.items():
        _files.restore(path, new)


def _decided(overlay: t.Mapping[str, t.Optional[_files.State]], root: str) -> tuple[int, t.Optional[str]]:
    """The value that the boot sets with these files, the kernel's default where none does, and the file that wins."""
    texts = {
        path: "" if state is None else _lines.text_of(state)
        for path, state in overlay.items()
        if state is not None or os.path.lexists(path)  # an empty file would hide one of the same name in /usr/lib
    }
    found = _sysctl_files.boot_value(_proc.FASTOPEN, root, texts)
    try:
        return (_tfo_bits.DEFAULT if found.value is None else _tfo_bits.parse(found.value)), found.file
    except ValueError:
        return _tfo_bits.DEFAULT, found.file  # the kernel refuses such a text at boot
