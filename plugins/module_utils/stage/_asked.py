# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role tcp_fastopen asks for: bits through their one writer, the other settings by themselves; all or nothing."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _kernel,
    _kernel_diff,
    _proc,
    _snapshot,
    _switch,
    _tfo_bits,
    _transaction,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record

BITS = {"accept": _tfo_bits.ACCEPT, "send": _tfo_bits.SEND, "all_listeners": _tfo_bits.ALL_LISTENERS}

Wanted = t.Optional[t.Mapping[str, t.Any]]
"""Settings by option, None or absent: keep; None as a whole: all of it back to what was there before."""


class Result(t.NamedTuple):
    """``before`` and ``after`` as `_kernel_diff.state` gives them, ``diff`` in Ansible's form, ``snapshot`` its path."""

    changed: bool
    before: dict[str, t.Any]
    after: dict[str, t.Any]
    diff: list[dict[str, str]]
    snapshot: t.Optional[str]
    warnings: list[str]


class _Kept(t.NamedTuple):
    """What the host keeps: of the stage, of the run that holds it, and of the other settings."""

    record: _record.Record
    lease: t.Optional[_record.Lease]
    settings: t.Optional[_snapshot.Snapshot]


class _Bits(t.NamedTuple):
    """The text of net.ipv4.tcp_fastopen (None: no change), the files, and why something is not as one may think."""

    text: t.Optional[str]
    files: dict[str, tuple[t.Optional[_files.State], t.Optional[_files.State]]]
    warnings: list[str]


def converge(wanted: Wanted, *, file: str, snapshot: str, check: bool, force: bool = False, root: str = "/") -> Result:
    """Bring it about, at run time and in ``file``, and keep what was before. A refusal comes before any change.

    Raises KernelError, RecordError, OSError.
    """
    with contextlib.nullcontext() if check else _locked():
        old = _Kept(_record.load(), _record.load_lease(), _snapshot.load(_transaction.below(root, snapshot)))
        record, lease = copy.deepcopy(old.record), copy.deepcopy(old.lease)
        present = _kernel.read(root)
        bits = _bits(wanted, record, lease, file=file, force=force, root=root)
        files = {path: new for path, (_old, new) in bits.files.items()}
        if wanted is None:
            plan = _kernel.plan_back(present, old.settings, files, file=file, snapshot=snapshot, root=root)
        else:
            plan = _kernel.plan(wanted, present, old.settings, files, file=file, root=root)
        sysctls = {**plan.sysctls, **({} if bits.text is None else {_proc.FASTOPEN: bits.text})}
        states = {path: (_files.read(path), new) for path, new in plan.files.items()}
        if not check:
            writes = {path: new for path, (now, new) in states.items() if not _files.same(now, new)}
            new = _Kept(record, lease, plan.kept)
            _write(sysctls, writes, new, old, _transaction.below(root, snapshot), root, back=wanted is None)
    after = {**present, **sysctls}
    shown = {"/" + os.path.relpath(path, os.path.realpath(root)): pair for path, pair in states.items()}
    diff = _kernel_diff.diff(present, after, shown)
    dropped = wanted is None and bool(old.settings or old.record.asked | old.record.refused)
    return Result(
        bool(diff) or dropped,
        _kernel_diff.state(present),
        _kernel_diff.state(after),
        diff,
        snapshot if plan.kept else None,
        bits.warnings,
    )


def _bits(
    wanted: Wanted, record: _record.Record, lease: t.Optional[_record.Lease], *, file: str, force: bool, root: str
) -> _Bits:
    """Put the request into ``record``, and plan what it needs. Raises KernelError."""
    before = record.asked, record.refused
    for option, bit in BITS.items():
        value = False if wanted is None else wanted.get(option)
        if value is not None:
            record.asked = record.asked | bit if value else record.asked & ~bit
            record.refused = record.refused & ~bit if value or wanted is None else record.refused | bit
    if not any((*before, record.asked, record.refused)):
        return _Bits(None, {}, [])  # not the role's: whoever set them keeps them
    wants = _record.wants(record, lease)
    value = _switch.value_of(root)
    if (wanted or {}).get("all_listeners") and not (
        (value | wants.needed | wants.asked) & ~wants.refused & _tfo_bits.ACCEPT
    ):
        raise KernelError("all_listeners (0x400) has no effect without accept (0x2). Set accept: true as well.")
    processes = [] if force else _switch.busy(root)
    raised = record.raised | (lease.raised if lease else 0)
    planned = _switch.plan_run_time(value, wants, raised, processes, record.lowered)
    if planned.kept and _tfo_bits.SEND & (record.refused | (before[0] & ~record.asked)):
        raise KernelError(
            "0x1 is not cleared: it would end or break these processes at their next outbound connection:"
            f" {'; '.join(processes)}. Switch fast_open off in them and restart them first, or use force: true."
        )
    # What only the step of a run has raised is gone after a reboot, what the role asks for is not.
    record.raised = planned.raised & ~((lease.raised if lease else 0) & ~record.raised & ~record.asked)
    record.lowered = planned.lowered
    if lease:
        lease.raised &= planned.raised
    warnings = list(planned.kept)
    if record.killed and record.asked & _tfo_bits.ACCEPT:
        by, when = (record.killed.get(key, "unknown") for key in ("by", "when"))
        warnings.append(
            f"accept (0x2) stays off: the kill switch of {by} is on since {when}. The playbook rollback with"
            " `-e rollback_scope=accept -e rollback_lift=true` lifts it, and then what is asked for here holds again."
        )
    try:
        boot = _switch.plan_boot(_record.wants(record, None), record.line, file=file, root=root)
    except KernelError as error:
        if wanted is not None:
            raise
        return _Bits(str(planned.after) if planned.after != value else None, {}, [*warnings, str(error)])
    record.line = boot.line
    return _Bits(str(planned.after) if planned.after != value else None, boot.files, warnings)


def _write(
    sysctls: t.Mapping[str, str],
    files: _transaction.Files,
    new: _Kept,
    old: _Kept,
    snapshot: str,
    root: str,
    back: bool,
) -> None:
    """What is asked for is kept first on the way there and last on the way ``back``, and until all is done what is ours
    before or after: a run that is killed can be run again, or taken back."""
    ahead = old._replace(record=_either(old.record if back else new.record, new.record, old.record))
    if not back and new.settings != old.settings:
        _make_private(os.path.dirname(snapshot))
        files = {snapshot: _snapshot.dump(new.settings), **files}
    try:
        with contextlib.suppress(*([OSError] if back else [])):
            _keep(ahead, old)
        _transaction.apply(sysctls, files, root)
    except BaseException:
        with contextlib.suppress(OSError):
            _keep(old, ahead)
        raise
    line = new.record.line and new.record.line.written
    _keep(new._replace(record=dataclasses.replace(new.record, line=line)), ahead)
    if back:
        _forget(snapshot)


def _either(record: _record.Record, new: _record.Record, old: _record.Record) -> _record.Record:
    """The record with what is ours by one of two: bits that we raised or lowered, and the line."""
    raised, lowered = new.raised | old.raised, new.lowered | old.lowered
    return dataclasses.replace(record, raised=raised, lowered=lowered, line=new.line or old.line)


def _keep(kept: _Kept, known: _Kept) -> None:
    if kept.record != known.record:
        _record.store(kept.record)
    if kept.lease != known.lease:
        _record.store_lease(kept.lease)


def _forget(snapshot: str) -> None:
    """Remove the snapshot, and the folders that are empty then."""
    _files.remove(snapshot)
    for folder in (os.path.dirname(snapshot), _record.FOLDER):
        with contextlib.suppress(OSError):  # kept where something else is in it
            os.rmdir(folder)


@contextlib.contextmanager
def _locked() -> t.Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_lock.hold())
        except OSError as error:
            raise _transaction.refused(error) from error
        yield


def _make_private(folder: str) -> None:
    try:
        _folders.make(folder, 0o700)
    except _folders.FolderError as error:
        raise _transaction.KernelError(str(error)) from None
    except OSError as error:
        raise _transaction.refused(error) from error
