# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's settings beside the bits, which are role tcp_fastopen's alone: what they become, and the way back.

Nothing here writes. The snapshot keeps what stood there before the first change: run-time values, and of each file the
lines that assigned them, never a whole file: what others have written into it since is theirs.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _ascii,
    _lines,
    _proc,
    _snapshot,
    _sysctl_files,
    _tfo_bits,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import (
    Files,
    KernelError,
    below,
    is_unset_key,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

SNAPSHOT = "/var/lib/fastopen/kernel.json"
NUMBERS = {
    "max_syn_backlog": (_proc.MAX_SYN_BACKLOG, 1, 2**31 - 1),
    "syncookies": (_proc.SYNCOOKIES, 0, 2),
    "blackhole_timeout_seconds": (_proc.BLACKHOLE_TIMEOUT, 0, 2**31 - 1),
    "somaxconn": (_proc.SOMAXCONN, 1, 2**31 - 1),
}
"""By option: sysctl, least, most."""
_SYSCTLS = (_proc.FASTOPEN_KEY, *(name for name, _least, _most in NUMBERS.values()))
_KEY_GROUP = re.compile(r"[0-9a-f]{1,8}(-[0-9a-f]{1,8}){3}")


class Plan(t.NamedTuple):
    """The text that sysctls and the state that files are to have, and what is kept afterwards."""

    sysctls: dict[str, str]
    files: dict[str, t.Optional[_files.State]]
    kept: t.Optional[_snapshot.Snapshot]


def read(root: str = "/") -> dict[str, str]:
    """The text of the sysctls that this kernel has and this user may read, net.ipv4.tcp_fastopen too."""
    found = {}
    for name in (_proc.FASTOPEN, *_SYSCTLS):
        try:
            text = _proc.read_sysctl(name, below(root, "proc"))
        except PermissionError:
            continue
        if text is not None:
            found[name] = text
    return found


def plan(
    wanted: t.Mapping[str, t.Any],
    present: t.Mapping[str, str],
    kept: t.Optional[_snapshot.Snapshot],
    files: Files,
    *,
    file: str,
    root: str = "/",
) -> Plan:
    """What the wanted settings (None or absent: keep) need, on top of ``files`` as they are going to be.

    wanted: key ("8hex-8hex-8hex-8hex", or two with a comma) and the NUMBERS. A line is written only where the boot does
    not give the value already. Raises KernelError, also where another file than ``file`` would decide otherwise.
    """
    target = _target(wanted, present)
    path = os.path.realpath(below(root, file))
    state = files[path] if path in files else _files.read(path)
    lines, mode = {}, None
    for name, value in target.items():
        if not _same(name, _boot(name, {**files, path: state}, root).value, value):
            lines[name] = _lines.lines_of(state, name)
            state = _lines.replaced(state, name, [f"{name} = {value}"])
    if state and state.mode & 0o077 and _proc.FASTOPEN_KEY in target and _lines.lines_of(state, _proc.FASTOPEN_KEY):
        mode, state = state.mode, state._replace(mode=state.mode & 0o600)
    after = {**files, path: state}
    for name, value in target.items():
        _refuse_another_file(name, value, file, after, root)
    sysctls = {name: value for name, value in target.items() if present[name] != value}
    before = {name: present[name] for name in sysctls}
    if before or lines or mode is not None:
        kept = kept or _snapshot.Snapshot({}, {}, {})
        shown = "/" + os.path.relpath(path, os.path.realpath(root))
        known = kept.files.get(shown, _snapshot.File({}, None, {}))
        ours = {**known.ours, **{name: _snapshot.mark(name, target[name]) for name in lines}}
        entry = _snapshot.File({**lines, **known.lines}, mode if known.mode is None else known.mode, ours)
        found = {shown: entry} if lines or mode is not None else {}
        # What it knew is older, and stays.
        marks = {name: _snapshot.mark(name, value) for name, value in sysctls.items()}
        kept = _snapshot.Snapshot({**before, **kept.sysctls}, {**kept.files, **found}, {**kept.ours, **marks})
    return Plan(sysctls, dict(after), kept)


def plan_back(
    present: t.Mapping[str, str],
    kept: t.Optional[_snapshot.Snapshot],
    files: Files,
    *,
    file: str,
    snapshot: str,
    root: str = "/",
) -> Plan:
    """What puts back the snapshot, on top of ``files`` as they are going to be.

    A value and a line that somebody has changed since are theirs by now, and stay. So does a cookie key that was unset:
    the kernel cannot forget a key before the next boot. Raises KernelError where ``file`` has lines of our making and yet
    there is no snapshot.
    """
    after = dict(files)
    if kept is None:
        _refuse_without_snapshot(file, snapshot, root)
        return Plan({}, after, None)
    for path, was in kept.files.items():
        real = below(root, path)
        state = after[real] if real in after else _files.read(real)
        for name, lines in was.lines.items():
            there = _lines.lines_of(state, name)
            theirs = [line for line in there if not _is_ours(name, _lines.value_in(line), was.ours[name])]
            state = _lines.replaced(state, name, theirs if theirs or not there else lines)
        keys = _lines.lines_of(state, _proc.FASTOPEN_KEY)
        if state and was.mode is not None and keys == was.lines.get(_proc.FASTOPEN_KEY, keys):
            state = state._replace(mode=was.mode)
        after[real] = state
    ours = {name: value for name, value in kept.sysctls.items() if _is_ours(name, present.get(name), kept.ours[name])}
    return Plan({name: value for name, value in ours.items() if not is_unset_key(name, value)}, after, None)


def normalise_key(text: str) -> str:
    """A key, or a key and its backup, the way the kernel reads it back. Raises KernelError."""
    keys = [_ascii.strip(key) for key in text.lower().split(",")]
    if len(keys) > 2 or not all(_KEY_GROUP.fullmatch(key) for key in keys):
        raise KernelError(
            "key is not a cookie key. Give four groups of up to eight hexadecimal digits, joined by dashes, or two such"
            " keys (primary, backup) joined by a comma."
        )
    keys = ["-".join(group.zfill(8) for group in key.split("-")) for key in keys]
    if any(is_unset_key(_proc.FASTOPEN_KEY, key) for key in keys):
        raise KernelError("key is all zeros, which everybody can guess. Draw random ones.")
    return ",".join(keys)


def _target(wanted: t.Mapping[str, t.Any], present: t.Mapping[str, str]) -> dict[str, str]:
    target = {}
    for option, (name, least, most) in NUMBERS.items():
        number = wanted.get(option)
        if number is not None:
            if not least <= number <= most:
                raise KernelError(f"{option} is {number}. Give a number from {least} to {most}.")
            target[name] = str(number)
    if wanted.get("key") is not None:
        target[_proc.FASTOPEN_KEY] = normalise_key(wanted["key"])
    for name in target:
        if name not in present:
            raise KernelError(
                f"This kernel or network namespace shows no {name}. Leave the setting out, or use a newer kernel"
                " (inside a container 4.15 or later); the cookie key can be read by root only (become: true)."
            )
    return target


def _boot(name: str, files: Files, root: str) -> _sysctl_files.BootValue:
    texts = {path: _lines.text_of(state) for path, state in files.items() if state is not None}
    return _sysctl_files.boot_value(name, root, texts)


def _read(name: str, text: t.Optional[str]) -> t.Optional[str]:
    """The text in a file the way the kernel would read it, None where it would not."""
    try:
        if text is None:
            return None
        return normalise_key(text) if name == _proc.FASTOPEN_KEY else str(_tfo_bits.parse(text))
    except (ValueError, KernelError):
        return None


def _same(name: str, text: t.Optional[str], value: str) -> bool:
    """Compare the text in a file with the wanted one."""
    return _read(name, text) == value


def _is_ours(name: str, text: t.Optional[str], mark: str) -> bool:
    """Whether the text is the value of that mark."""
    value = _read(name, text)
    return value is not None and _snapshot.mark(name, value) == mark


def _refuse_another_file(name: str, value: str, file: str, files: Files, root: str) -> None:
    found = _boot(name, files, root)
    if _same(name, found.value, value):
        return
    if found.file is None:
        raise KernelError(f"{file} is not read at boot here. Name a file in /etc/sysctl.d that ends in .conf.")
    raise KernelError(
        f"At boot {found.file} sets {name} after {file} and wins. Remove that line from {found.file}, or name a file"
        " that sorts after it."
    )


def _refuse_without_snapshot(file: str, snapshot: str, root: str) -> None:
    state = _files.read(os.path.realpath(below(root, file)))
    if state is None or not _lines.text_of(state).startswith(_lines.HEADER):
        return
    if any(_lines.lines_of(state, name) for name in _SYSCTLS):
        raise KernelError(
            f"There is no snapshot {snapshot}, yet {file} was written by this collection: what was before is not known."
            f" Set the values that you want with state: present, or delete {file} and reboot."
        )
