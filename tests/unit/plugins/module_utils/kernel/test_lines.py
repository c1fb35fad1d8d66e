# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sysctl's lines in a file among those of others."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _lines
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

KEY = "net.ipv4.tcp_fastopen"
OURS = f"{KEY} = 3"


def state(text: str) -> _files.State:
    return _files.State(text.encode("utf-8", "surrogateescape"), 0o640, 7, 8)


@pytest.mark.parametrize(
    ("text", "lines", "value"),
    [
        ("", [], None),
        ("net.core.somaxconn = 3\n", [], None),
        ("net.ipv4.tcp_fastopen_key = 1-2-3-4\n", [], None),
        ("# net.ipv4.tcp_fastopen = 3\n", [], None),
        ("net.ipv4.tcp_fastopen=3\n", ["net.ipv4.tcp_fastopen=3"], "3"),
        (" net/ipv4/tcp_fastopen\t= 0x3 \n", [" net/ipv4/tcp_fastopen\t= 0x3 "], "0x3"),
        ("-net.ipv4.tcp_fastopen = 1", ["-net.ipv4.tcp_fastopen = 1"], "1"),
        (f"{KEY} = 1\r\na = 1\r\n{KEY} = 2\r\n", [f"{KEY} = 1\r", f"{KEY} = 2\r"], "2"),
        (f"# \udcff\n{KEY} = 3\n", [f"{KEY} = 3"], "3"),
    ],
)
def test_what_a_file_says(text: str, lines: list[str], value: str) -> None:
    assert _lines.lines_of(state(text), KEY) == lines
    assert _lines.value_of(state(text), KEY) == value


def test_no_file_says_nothing() -> None:
    assert (_lines.lines_of(None, KEY), _lines.value_of(None, KEY)) == ([], None)


@pytest.mark.parametrize(
    ("text", "with_ours"),
    [
        ("", f"{OURS}\n"),
        ("a = 1\n", f"a = 1\n{OURS}\n"),
        ("a = 1", f"{OURS}\na = 1"),  # what is appended with echo >> stays as broken, or not, as it was
        ("a = 1\n\n# the end\n", f"a = 1\n\n# the end\n{OURS}\n"),
        ("a = 1\r\nb = 2\r\n", f"a = 1\r\nb = 2\r\n{OURS}\n"),
        (f"a = 1\n{KEY} = 1\nb = 2\n", f"a = 1\n{OURS}\nb = 2\n"),
        (f"a = 1\n{KEY} = 1", f"a = 1\n{OURS}"),
        ("-net.ipv4.tcp_fastopen = 1\nnet/ipv4/tcp_fastopen = 2\nb = 2\n", f"{OURS}\nb = 2\n"),
        ("# \udcff\udcfe\nnet/ipv4/tcp_fastopen=1\n# \udcff", f"# \udcff\udcfe\n{OURS}\n# \udcff"),
        (f"{_lines.HEADER}\nnet.core.somaxconn = 8192\n", f"{_lines.HEADER}\nnet.core.somaxconn = 8192\n{OURS}\n"),
    ],
)
def test_there_and_back_exactly(text: str, with_ours: str) -> None:
    before = state(text)
    after = _lines.replaced(before, KEY, [OURS])
    assert after == state(with_ours)
    assert _lines.replaced(after, KEY, [OURS]) is after
    assert _lines.replaced(after, KEY, _lines.lines_of(before, KEY)) == before


def test_lines_that_stood_apart_come_back_together() -> None:
    before = state(f"{KEY} = 1\na = 1\n{KEY} = 2\n")
    after = _lines.replaced(before, KEY, [OURS])
    assert after == state(f"{OURS}\na = 1\n")
    assert _lines.replaced(after, KEY, _lines.lines_of(before, KEY)) == state(f"{KEY} = 1\n{KEY} = 2\na = 1\n")


def test_a_file_of_our_making_goes_with_its_last_line() -> None:
    made = _lines.replaced(None, KEY, [OURS])
    assert made is not None and (made.content.decode(), made.mode) == (f"{_lines.HEADER}\n{OURS}\n", 0o644)
    shared = _lines.replaced(made, "net.core.somaxconn", ["net.core.somaxconn = 1"])
    left = _lines.replaced(shared, KEY, [])
    assert left is not None and left.content.decode() == f"{_lines.HEADER}\nnet.core.somaxconn = 1\n"
    assert _lines.replaced(left, "net.core.somaxconn", []) is None
    assert _lines.replaced(made, KEY, []) is None
    assert _lines.replaced(None, KEY, []) is None


def test_somebodys_empty_file_stays() -> None:
    """It may hide one of the same name in /usr/lib."""
    assert _lines.replaced(_lines.replaced(state(""), KEY, [OURS]), KEY, []) == state("")
