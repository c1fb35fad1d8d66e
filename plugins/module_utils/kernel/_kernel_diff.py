# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's settings for people: named values and diffs, neither of which ever shows a cookie key."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc, _tfo_bits, _transaction
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

_NAMES = {
    _proc.MAX_SYN_BACKLOG: "max_syn_backlog",
    _proc.SYNCOOKIES: "syncookies",
    _proc.BLACKHOLE_TIMEOUT: "blackhole_timeout_seconds",
    _proc.SOMAXCONN: "somaxconn",
}
_KEY_LINE = re.compile(r"^(\s*-?\s*net[./]ipv4[./]tcp_fastopen_key\s*=).*$", re.MULTILINE)


def state(sysctls: Mapping[str, str]) -> dict:
    """Return sysctls as numbers under `tfo_sysctl`'s names, the bits as booleans, the key as `set` or `unset`.

    What this kernel lacks or this user may not read is left out.
    """
    found: dict = {}
    for name, text in sysctls.items():
        if name == _proc.FASTOPEN:
            found.update(_tfo_bits.describe(_tfo_bits.parse(text)))
        elif name == _proc.FASTOPEN_KEY:
            found["key"] = "unset" if _transaction.is_unset_key(name, text) else "set"
        else:
            found[_NAMES[name]] = _tfo_bits.parse(text)
    return found


def diff(
    before: Mapping[str, str],
    after: Mapping[str, str],
    files: Mapping[str, tuple[_files.State | None, _files.State | None]],
) -> list[dict[str, str]]:
    """Return Ansible's diffs: one of the run-time values and one per file, only where there is a difference."""
    found = []
    if before != after:
        found.append(
            {
                "before_header": "run time",
                "after_header": "run time",
                "before": _lines(before, ""),
                "after": _lines(
                    after, ", new" if before.get(_proc.FASTOPEN_KEY) != after.get(_proc.FASTOPEN_KEY) else ""
                ),
            }
        )
    for path, (old, new) in files.items():
        if _files.same(old, new):
            continue
        found.append(
            {
                "before_header": _header(path, old),
                "after_header": _header(path, new),
                "before": _redacted(old, ""),
                "after": _redacted(new, ", new" if _keys(old) != _keys(new) else ""),
            }
        )
    return found


def _lines(sysctls: Mapping[str, str], note: str) -> str:
    text = "".join(f"{name} = {value}\n" for name, value in sysctls.items())
    return _KEY_LINE.sub(rf"\1 (hidden{note})", text)


def _header(path: str, kept: _files.State | None) -> str:
    return f"{path} (absent)" if kept is None else f"{path} (mode {kept.mode:04o})"


def _redacted(kept: _files.State | None, note: str) -> str:
    return "" if kept is None else _KEY_LINE.sub(rf"\1 (hidden{note})", kept.content.decode("utf-8", "replace"))


def _keys(kept: _files.State | None) -> list[str]:
    return [] if kept is None else [match[0] for match in _KEY_LINE.finditer(kept.content.decode("utf-8", "replace"))]
