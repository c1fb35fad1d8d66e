# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's settings and their boot file are to become, worked out without touching either."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _proc,
    _sysctl_files,
    _tfo_bits,
    _transaction,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError

# wanted key: (sysctl, least, most)
NUMBERS = {
    "max_syn_backlog": (_proc.MAX_SYN_BACKLOG, 1, 2**31 - 1),
    "syncookies": (_proc.SYNCOOKIES, 0, 2),
    "blackhole_timeout_seconds": (_proc.BLACKHOLE_TIMEOUT, 0, 2**31 - 1),
    "somaxconn": (_proc.SOMAXCONN, 1, 2**31 - 1),
}
SYSCTLS = (_proc.FASTOPEN, _proc.FASTOPEN_KEY, *(name for name, _least, _most in NUMBERS.values()))
HEADER = "# TCP Fast Open: written by the Ansible collection fastopen.shadowsocks\n"
_KEY_GROUP = re.compile(r"[0-9a-f]{1,8}(-[0-9a-f]{1,8}){3}")


def plan(wanted: Mapping[str, object], present: Mapping[str, str]) -> dict[str, str]:
    """Return the text that each managed sysctl is to have; other bits of net.ipv4.tcp_fastopen are kept."""
    target: dict[str, str] = {}
    bits = {name: wanted.get(name) for name in ("send", "accept", "all_listeners")}
    if any(value is not None for value in bits.values()):
        value = _tfo_bits.apply(_tfo_bits.parse(_existing(_proc.FASTOPEN, present)), **bits)
        if bits["all_listeners"] and not value & _tfo_bits.ACCEPT:
            raise KernelError("all_listeners (0x400) has no effect without accept (0x2). Set accept: true as well.")
        target[_proc.FASTOPEN] = str(value)
    for key, (name, least, most) in NUMBERS.items():
        number = wanted.get(key)
        if number is None:
            continue
        if not least <= number <= most:
            raise KernelError(f"{key} is {number}. Give a number from {least} to {most}.")
        _existing(name, present)
        target[name] = str(number)
    if wanted.get("key") is not None:
        key = normalise_key(wanted["key"])
        _existing(_proc.FASTOPEN_KEY, present)
        target[_proc.FASTOPEN_KEY] = key
    return target


def normalise_key(text: str) -> str:
    """Return a key, or a key and its backup, the way the kernel reads it back."""
    keys = [key.strip() for key in text.lower().split(",")]
    if len(keys) > 2 or not all(_KEY_GROUP.fullmatch(key) for key in keys):
        raise KernelError(
            "key is not a cookie key. Give four groups of up to eight hexadecimal digits, joined by dashes, or two such"
            " keys (primary, backup) joined by a comma."
        )
    keys = ["-".join(group.zfill(8) for group in key.split("-")) for key in keys]
    if any(_transaction.is_unset_key(_proc.FASTOPEN_KEY, key) for key in keys):
        raise KernelError("key is all zeros, which everybody can guess. Draw random ones.")
    return ",".join(keys)


def render(target: Mapping[str, str], old: _files.State | None) -> _files.State:
    """Return the boot file with one line per managed sysctl; lines for anything else stay as they are."""
    text = HEADER if old is None else text_of(old)
    managed = {_sysctl_files.normalise(name): f"{name} = {target[name]}" for name in SYSCTLS if name in target}
    lines = []
    for line in text.splitlines():
        keys = [key for key, _value in _sysctl_files.assignments(line)]
        if managed.keys().isdisjoint(keys):
            lines.append(line)
        elif managed[keys[0]] not in lines:
            lines.append(managed[keys[0]])
    lines += [line for line in managed.values() if line not in lines]
    content = "".join(f"{line}\n" for line in lines)
    mode = 0o644 if old is None else old.mode
    if any(name == _sysctl_files.normalise(_proc.FASTOPEN_KEY) for name, _v in _sysctl_files.assignments(content)):
        mode &= 0o600
    owner = (os.geteuid(), os.getegid()) if old is None else (old.uid, old.gid)
    return _files.State(content.encode("utf-8", "surrogateescape"), mode, *owner)


def persisted(target: Mapping[str, str], old: _files.State | None) -> bool:
    """Tell whether the boot file already sets every managed sysctl, compared as numbers, and hides a key."""
    if not target:
        return True
    if old is None or (_proc.FASTOPEN_KEY in target and old.mode & 0o077):
        return False
    values = dict(_sysctl_files.assignments(text_of(old)))
    return all(_same(name, values.get(_sysctl_files.normalise(name)), value) for name, value in target.items())


def _same(name: str, text: str | None, value: str) -> bool:
    """Compare the text in a file with the wanted one the way the kernel would read both."""
    try:
        if text is None or name == _proc.FASTOPEN_KEY:
            return text is not None and normalise_key(text) == value
        return str(_tfo_bits.parse(text)) == value
    except (ValueError, KernelError):
        return False


def text_of(state: _files.State) -> str:
    """Return a file's text; bytes that are no UTF-8 survive the way back."""
    return state.content.decode("utf-8", "surrogateescape")


def _existing(name: str, present: Mapping[str, str]) -> str:
    if name not in present:
        raise KernelError(
            f"This kernel or network namespace shows no {name}. Leave the setting out, or use a newer kernel (inside a"
            " container 4.15 or later); the cookie key can be read by root only (become: true)."
        )
    return present[name]
