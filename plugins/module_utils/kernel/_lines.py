# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sysctl's lines in a file of sysctl.d: read, set, put back. Whatever else stands in the file stays. Pure."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _sysctl_files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

HEADER = "# TCP Fast Open: written by the Ansible collection fastopen.shadowsocks"
# Where systemd ends a line, but for the carriage returns beside a newline: they stay with the line.
_LINE_END = re.compile("(\n|\0|(?<!\n)\r(?!\n))")


def text_of(state: _files.State) -> str:
    """A file's text; bytes that are no UTF-8 survive the way back."""
    return _ascii.text(state.content)


def lines_of(state: t.Optional[_files.State], key: str) -> list[str]:
    """The lines of the file that assign ``key`` (net.ipv4.tcp_fastopen), in whatever spelling, as they stand there."""
    return [] if state is None else [line for line in _LINE_END.split(text_of(state))[::2] if _assigns(line, key)]


def value_of(state: t.Optional[_files.State], key: str) -> t.Optional[str]:
    """The text that the file assigns to ``key``, None where it does not."""
    return next((value_in(line) for line in reversed(lines_of(state, key))), None)


def value_in(line: str) -> t.Optional[str]:
    """The text that the line assigns, None where it assigns none."""
    return next((value for _key, value in _sysctl_files.assignments(line)), None)


def replaced(state: t.Optional[_files.State], key: str, lines: t.Sequence[str]) -> t.Optional[_files.State]:
    """The file with these lines in place of those that assign ``key``; at its end where there were none.

    Every other byte stays, so that the old lines in place of the new ones are the old file again; only lines that stood
    apart come back together, at the place of the first, and between lines of ours there is a newline. A last line
    without a newline stays the last. None where nothing is left but the header that a file of our making begins with.
    """
    if lines_of(state, key) == list(lines):
        return state
    parts = [HEADER, "\n", "", ""] if state is None else [*_LINE_END.split(text_of(state)), ""]
    old = list(zip(parts[::2], parts[1::2]))
    assigned = [_assigns(line, key) for line, _end in old]
    first = assigned.index(True) if True in assigned else len(old) - 1
    behind = next((number for number in range(first, len(old)) if not assigned[number]), len(old))
    ends = ["\n"] * (len(lines) - 1) + [old[behind - 1][1] if assigned[first] else "\n"]
    kept = [[pair for pair in part if not _assigns(pair[0], key)] for part in (old[:first], old[first:])]
    new = [*kept[0], *zip(lines, ends), *kept[1]]
    if {HEADER} <= {_ascii.strip(line) for line, _end in new} <= {"", HEADER}:
        return None
    content = _ascii.raw("".join(line + end for line, end in new))
    if state is None:
        return _files.State(content, 0o644, os.geteuid(), os.getegid())
    return state._replace(content=content)


def _assigns(line: str, key: str) -> bool:
    return any(name == _sysctl_files.normalise(key) for name, _value in _sysctl_files.assignments(line))
