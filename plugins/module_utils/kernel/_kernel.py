# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's side of TCP Fast Open, brought to what is wanted and back: sysctls, their boot file, the snapshot."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _kernel_diff,
    _kernel_plan,
    _proc,
    _ss_processes,
    _sysctl_files,
    _tfo_bits,
    _transaction,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import Change, KernelError

FILE = "/etc/sysctl.d/99-tfo.conf"
SNAPSHOT = "/var/lib/fastopen/kernel.json"


class Result(NamedTuple):
    """`before` and `after` as `_kernel_diff.state` gives them; `diff` in Ansible's form; the snapshot's path if any."""

    changed: bool
    before: dict
    after: dict
    diff: list
    snapshot: str | None


def converge(
    wanted: Mapping[str, object],
    *,
    file: str = FILE,
    snapshot: str = SNAPSHOT,
    check: bool,
    allow_unsafe: bool = False,
    root: str = "/",
) -> Result:
    """Bring the wanted settings (None or absent: keep) about, at run time and in `file`, and keep what was before.

    wanted: accept, send, all_listeners (bool); key ("8hex-8hex-8hex-8hex", or two with a comma); max_syn_backlog,
    syncookies, blackhole_timeout_seconds, somaxconn (int). Raises KernelError.
    """
    proc = _transaction.below(root, "proc")
    present = _read(proc)
    target = _kernel_plan.plan(wanted, present)
    real = os.path.realpath(_transaction.below(root, file))
    path = "/" + os.path.relpath(real, os.path.realpath(root))
    old = _files.read(real)
    new = old if _kernel_plan.persisted(target, old) else _kernel_plan.render(target, old)
    sysctls = {name: value for name, value in target.items() if present[name] != value}
    files = {} if _files.same(old, new) else {path: new}
    _refuse_to_cut_off(sysctls, present, proc, allow_unsafe)
    changed = bool(sysctls or files)
    kept = _transaction.load(_transaction.below(root, snapshot))
    if changed and not check:
        kept = _transaction.extended(kept, {name: present[name] for name in sysctls}, {p: old for p in files})
        _make_private_folder(_transaction.below(root, os.path.dirname(snapshot)))
        _transaction.apply(Change(sysctls, {snapshot: _transaction.dump(kept), **files}), root)
    result = _result(
        present, {**present, **sysctls}, {path: (old, new)}, changed, snapshot if kept or changed else None
    )
    _check_boot(target, file, new, root, result)
    return result


def restore(
    *,
    file: str = FILE,
    snapshot: str = SNAPSHOT,
    check: bool,
    allow_unsafe: bool = False,
    ending: Collection[int] = (),
    root: str = "/",
) -> Result:
    """Put every sysctl and file in the snapshot back exactly and remove the snapshot; without one, change nothing.

    `ending`: the processes that the caller ends before the real run, so that a check does not count them. A cookie key
    that was unset stays as it is: the kernel cannot forget a key before the next boot. Raises KernelError, also where
    `file` is of our making and yet there is no snapshot to go back to.
    """
    proc = _transaction.below(root, "proc")
    present = _read(proc)
    kept = _transaction.load(_transaction.below(root, snapshot))
    if kept is None:
        _refuse_without_snapshot(file, snapshot, root)
        return _result(present, present, {}, False, None)
    sysctls = {
        name: value
        for name, value in kept.sysctls.items()
        if present.get(name) != value and not _transaction.is_unset_key(name, value)
    }
    _refuse_to_cut_off(sysctls, present, proc, allow_unsafe, ending)
    states = {path: (_files.read(_transaction.below(root, path)), state) for path, state in kept.files.items()}
    files = {path: state for path, (now, state) in states.items() if not _files.same(now, state)}
    if not check:
        _transaction.apply(Change(sysctls, files), root)
        _files.remove(_transaction.below(root, snapshot))
        with contextlib.suppress(OSError):  # kept where something else is in it
            os.rmdir(_transaction.below(root, os.path.dirname(snapshot)))
    return _result(present, {**present, **sysctls}, states, True, None)


def _read(proc: str) -> dict[str, str]:
    """Return the sysctls that this kernel has and this user may read."""
    present = {}
    for name in _kernel_plan.SYSCTLS:
        try:
            text = _proc.read_sysctl(name, proc)
        except PermissionError:
            continue
        if text is not None:
            present[name] = text
    return present


def _refuse_to_cut_off(
    sysctls: Mapping[str, str],
    present: Mapping[str, str],
    proc: str,
    allowed: bool,
    ending: Collection[int] = (),
) -> None:
    """Raise KernelError when 0x1 would be cleared under processes that die or fail without it."""
    new = sysctls.get(_proc.FASTOPEN)
    if allowed or new is None or _tfo_bits.parse(new) & _tfo_bits.SEND:
        return
    if not _tfo_bits.parse(present[_proc.FASTOPEN]) & _tfo_bits.SEND:
        return
    found = [process for process in _ss_processes.find(proc) if process.pid not in ending]
    if found:
        names = "; ".join(f"{process.program} (pid {process.pid}): {process.reason}" for process in found)
        raise KernelError(
            f"0x1 is not cleared: it would end or break these processes at their next outbound connection: {names}."
            " Switch fast_open off in them and restart them first, or use force: true."
        )


def _refuse_without_snapshot(file: str, snapshot: str, root: str) -> None:
    """Raise KernelError when our boot file is there although nothing tells what was before it."""
    state = _files.read(os.path.realpath(_transaction.below(root, file)))
    if state is not None and state.content.startswith(_kernel_plan.HEADER.encode()):
        raise KernelError(
            f"There is no snapshot {snapshot}, yet {file} was written by this collection: what was before is not known."
            f" Set the values that you want with state: present, or delete {file} and reboot."
        )


def _check_boot(target: Mapping[str, str], file: str, new: _files.State | None, root: str, result: Result) -> None:
    """Raise KernelError when another file than ours decides at boot."""
    overlay = {} if new is None else {os.path.realpath(_transaction.below(root, file)): _kernel_plan.text_of(new)}
    for name in target:
        winner = _sysctl_files.boot_value(name, root, overlay)
        if winner.file is None:
            raise KernelError(
                f"{file} is not read at boot here. Name a file in /etc/sysctl.d that ends in .conf.", result
            )
        if not _sysctl_files.is_winner(winner, file, root):
            raise KernelError(
                f"At boot {winner.file} sets {name} after {file} and wins. Remove that line from {winner.file}, or name"
                " a file that sorts after it.",
                result,
            )


def _make_private_folder(path: str) -> None:
    """Create the snapshot's folder, for its owner only."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise KernelError(f"{path} cannot be made: {error.strerror}. Run it as root (become: true).") from error


def _result(before: dict, after: dict, files: dict, changed: bool, snapshot: str | None) -> Result:
    return Result(
        changed,
        _kernel_diff.state(before),
        _kernel_diff.state(after),
        _kernel_diff.diff(before, after, files),
        snapshot,
    )
