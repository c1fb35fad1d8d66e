# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's settings for people: named values and diffs, neither of which ever shows a cookie key."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel, _proc, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import is_unset_key
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

_NAMES = {name: option for option, (name, _least, _most) in _kernel.NUMBERS.items()}
# In comments too; and whatever looks like a key, for a line may name it by a pattern (sysctl.d(5)).
_KEY_LINE = re.compile(
    r"^(.*\btcp_fastopen_key\s*=|.*?=(?=.*\b[0-9a-f]{1,8}(?:-[0-9a-f]{1,8}){3}\b)).*$", re.MULTILINE | re.IGNORECASE
)


def state(sysctls: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Sysctls as numbers under `tfo_sysctl`'s names, the bits as booleans, the key as `set` or `unset`.

    What this kernel lacks or this user may not read is left out.
    """
    found: dict[str, t.Any] = {}
    for name, text in sysctls.items():
        if name == _proc.FASTOPEN:
            found.update(_tfo_bits.describe(_tfo_bits.parse(text)))
        elif name == _proc.FASTOPEN_KEY:
            found["key"] = "unset" if is_unset_key(name, text) else "set"
        else:
            found[_NAMES[name]] = _tfo_bits.parse(text)
    return found


def diff(
    before: t.Mapping[str, str],
    after: t.Mapping[str, str],
    files: t.Mapping[str, tuple[t.Optional[_files.State], t.Optional[_files.State]]],
) -> list[dict[str, str]]:
    """Ansible's diffs: one of the run-time values and one per file, only where there is a difference."""
    found = [] if before == after else [_entry("run time", "run time", _text(before), _text(after))]
    for path, (old, new) in files.items():
        if not _files.same(old, new):
            found.append(_entry(_header(path, old), _header(path, new), _content(old), _content(new)))
    return found


def _entry(before_header: str, after_header: str, before: str, after: str) -> dict[str, str]:
    note = ", new" if _keys(before) != _keys(after) else ""
    return {
        "before_header": before_header,
        "after_header": after_header,
        "before": _KEY_LINE.sub(r"\1 (hidden)", before),
        "after": _KEY_LINE.sub(rf"\1 (hidden{note})", after),
    }


def _keys(text: str) -> list[str]:
    return [match[0] for match in _KEY_LINE.finditer(text)]


def _text(sysctls: t.Mapping[str, str]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in sysctls.items())


def _header(path: str, state: t.Optional[_files.State]) -> str:
    return f"{path} (absent)" if state is None else f"{path} (mode {state.mode:04o})"


def _content(state: t.Optional[_files.State]) -> str:
    return "" if state is None else state.content.decode("utf-8", "replace")
