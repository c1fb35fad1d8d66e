# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls and their files byte by byte, by table and by property; tests/netns/test_boot.py asks systemd the same."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _ascii,
    _counters,
    _glob,
    _kernel,
    _lines,
    _proc,
    _snapshot,
    _sysctl_files,
    _tfo_bits,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils import _bytes
from hypothesis import assume, given
from hypothesis import strategies as st

KEY = "net.ipv4.tcp_fastopen"
OURS = f"{KEY} = 3"
K = KEY.encode()
SYSCTL_FILES = _bytes.of(
    K, K + b"=1", K + b"=1\n", b"net/ipv4/tcp_fastopen", b"a=1", b"=", b"3", b"#", b";", b"\n", b"\r"
)


def state(content: bytes) -> _files.State:
    return _files.State(content, 0o640, 7, 8)


def value(content: bytes) -> str | None:
    return _lines.value_of(state(content), KEY)


def others(content: bytes) -> list[str]:
    """The lines that do not assign the key."""
    lines = filter(None, map(_ascii.strip, _ascii.systemd_lines(_ascii.text(content))))
    return [line for line in lines if not _lines._assigns(line, KEY)]


@pytest.mark.parametrize("odd", [odd for odd in _bytes.ODD if len(odd) > 1 or odd < b"\x80"])
@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a = 1%b" + K + b" = 3\n", None),  # no line end
        (b"%b" + K + b" = 3\n", None),  # no blank in front of a key
        (K + b"%b = 3\n", None),  # nor behind it
        (b"# x%b" + K + b" = 3\n", None),  # a comment goes on
    ],
)
def test_what_is_no_blank_and_no_line_end(odd: bytes, content: bytes, found: str | None) -> None:
    assert value(content % odd) is found
    assert value((content % odd) + K + b" = 2%b" % odd) == "2" + _ascii.text(odd)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"--" + K + b" = 3", None),
        (b"- " + K + b" = 3", "3"),
        (b"/net//ipv4/./tcp_fastopen/ = 3", "3"),
        (b".net..ipv4.tcp_fastopen = 3", "3"),
        (b"\xef\xbb\xbf" + K + b" = 3", None),
        (b"a = 1\r" + K + b" = 3", "3"),
        (b"a = 1\0" + K + b" = 3\0", "3"),
        (b"#\\\n" + K + b" = 3", "3"),
    ],
)
def test_lines_as_systemd_reads_them(content: bytes, found: str | None) -> None:
    assert value(content) == found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"# caf\xe9\n%b = 1\n", b"# caf\xe9\n%b = 3\n"),
        (b"a = 1\r%b=1\rb = 2\n", b"a = 1\r%b = 3\rb = 2\n"),
        (b"a = 1\0%b=1\0b = 2", b"a = 1\0%b = 3\0b = 2"),
        (b"a = 1\x0b%b=1\n", b"a = 1\x0b%b=1\n%b = 3\n"),
        (b"a = 1\xe2\x80\xa8%b=1\n%b = 1\n", b"a = 1\xe2\x80\xa8%b=1\n%b = 3\n"),
    ],
)
def test_only_our_line_changes(before: bytes, after: bytes) -> None:
    before, after = before.replace(b"%b", K), after.replace(b"%b", K)
    assert _lines.replaced(state(before), KEY, [OURS]) == state(after)
    assert _lines.replaced(state(after), KEY, _lines.lines_of(state(before), KEY)) == state(before)


def test_a_line_of_odd_blanks_is_somebodys() -> None:
    made = _lines.replaced(None, KEY, [OURS])
    assert made is not None
    theirs = made._replace(content=made.content + b"\xc2\xa0\n")
    assert _lines.replaced(theirs, KEY, []) == made._replace(content=f"{_lines.HEADER}\n\u00a0\n".encode())


@given(SYSCTL_FILES)
def test_our_line_there_and_back(content: bytes) -> None:
    """The line is set once; every other byte is where it was, and the old lines bring the old file back."""
    before = state(content)
    old = _lines.lines_of(before, KEY)
    after = _lines.replaced(before, KEY, [OURS])
    assert after is not None and _lines.lines_of(after, KEY) == [OURS]
    assert _lines.value_of(after, KEY) == "3"
    assert _lines.replaced(after, KEY, [OURS]) == after
    back = _lines.replaced(after, KEY, old)
    assert back is not None and _lines.lines_of(back, KEY) == old
    if len(old) <= 1:
        assert back == before
    assert others(back.content) == others(after.content) == others(content)


@given(SYSCTL_FILES)
def test_any_file_is_read(content: bytes) -> None:
    text = _ascii.text(content)
    assert _ascii.raw(text) == content
    for name, _value in _sysctl_files.assignments(text):
        assert _sysctl_files.normalise(name.replace(".", "")) == name.replace(".", "")
        _glob.matches("net/ipv4/tcp_fastopen", name)
    last = [found for name, found in _sysctl_files.assignments(text) if name == "net/ipv4/tcp_fastopen"]
    assert value(content) == (last[-1] if last else None)


@given(_bytes.of(b"*", b"?", b"[", b"]", b"!", b"^", b"{", b"}", b",", b"a", b"b", b"/", b"\\", b"[:alpha:]", b"b-a"))
def test_any_pattern_is_understood(pattern: bytes) -> None:
    assert _glob.matches("a/b", _ascii.text(pattern)) in (True, False)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("net/ipv4/tcp_fast*", True),
        ("net/*", False),
        ("net/*/tcp_fastopen", True),
        ("net/ipv4/tcp_fastope[^m]", True),
        ("net/ipv4/tcp_fastope[!n]", False),
        ("net/ipv4/tcp_fastope[[:alpha:]]", True),
        ("net/ipv4/tcp_fastope[[:digit:]]", False),
        ("net/ipv4/tcp_fastope[]n]", True),
        ("net/ipv4/tcp_fastope[m-o]", True),
        ("net/ipv4/tcp_fastope[o-m]", False),
        ("net/ipv4/tcp_fastope[n", False),
        ("net/ipv4/tcp_fastope[^]", False),
        ("net/ipv4/tcp_fastope[^]a]", True),
        ("net/ipv4/tcp_fastope[[:alpha:]", False),
        ("net[!a]ipv4/tcp_fastopen", False),
        ("net/{ipv4,x{1,2}}/*n", True),
        ("net/{ipv6,x}/*n", False),
        ("net/{ipv4/*n", False),
        ("net/ipv4/tcp\\_fast*", True),
        ("net/ipv4/\\*", False),
    ],
)
def test_globs(pattern: str, found: bool) -> None:
    assert _glob.matches("net/ipv4/tcp_fastopen", pattern) is found


@pytest.mark.parametrize("text", ["3\x0b", "3\u00a0", "\u00a03", "\u20033", "3\x1c", "3\r", "0" * 20 + "3", "3\0"])
def test_numbers_that_the_kernel_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="kernel"):
        _tfo_bits.parse(text)


@pytest.mark.parametrize("text", ["\x0b3", "\udca03", "0" * 19 + "3", "\f\r3\t4"])
def test_numbers_that_the_kernel_takes(text: str) -> None:
    assert _tfo_bits.parse(text) == 3


@given(st.integers(-(2**31), 2**31 - 1))
def test_what_the_kernel_prints(number: int) -> None:
    assert _tfo_bits.parse(f"{number}\n") == number
    assert _tfo_bits.parse(f"{'-' if number < 0 else ''}{abs(number):#x}") == number


@given(_bytes.of(b"0x", b"3", b"0", b"9", b"f", b"+"))
def test_any_number_or_valueerror(raw: bytes) -> None:
    try:
        assert -(2**31) <= _tfo_bits.parse(_ascii.text(raw)) < 2**31
    except ValueError:
        return


@pytest.mark.parametrize("content", [b"1027\n", b"caf\xe9\n", b"3\xc2\xa0\n", b""])
def test_sysctl_as_it_is_printed(tmp_path: pathlib.Path, content: bytes) -> None:
    path = pathlib.Path(_proc.sysctl_path(KEY, str(tmp_path)))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    found = _proc.read_sysctl(KEY, str(tmp_path))
    assert found is not None and _ascii.raw(found) == content.rstrip(b"\n")
    _proc.write_sysctl(KEY, found, str(tmp_path))
    assert path.read_bytes() == content.rstrip(b"\n") + b"\n"


@given(
    st.lists(
        st.tuples(st.from_regex("[A-Za-z]{1,9}", fullmatch=True), st.integers(-1, 2**64)), unique_by=lambda p: p[0]
    )
)
def test_counters_as_the_kernel_prints_them(counters: list[tuple[str, int]]) -> None:
    names, counts = "".join(f" {name}" for name, _count in counters), "".join(f" {count}" for _name, count in counters)
    text = f"TcpExt:{names}\nTcpExt:{counts}\nIpExt: A\nIpExt: 1\n"
    assert _counters.parse(text, "TcpExt") == dict(counters)


@given(_bytes.of(b"TcpExt:", b" A", b" B", b" 1", b" 22", b"\nTcpExt:"))
def test_any_counters(raw: bytes) -> None:
    assert all(isinstance(count, int) for count in _counters.parse(_ascii.text(raw), "TcpExt").values())


@pytest.mark.parametrize("count", ["1_0", "\u0663", "+1", "1\u00a02", "x", "0x1"])
def test_a_counter_that_is_no_number(count: str) -> None:
    assert _counters.parse(f"T: A B\nT: {count} 7\n", "T") == {"B": 7}


def test_counters_end_lines_at_newlines_only() -> None:
    assert _counters.parse("T: A B C\nT: 1\x1dT: 2 3\n", "T") == {"B": 2, "C": 3}
    assert _counters.parse("x\x0bT: A\nx\x0bT: 1\n", "T") == {}


@given(_bytes.of(b"{", b"}", b'"files"', b'"sysctls"', b":", b"[]", b"null", b","))
def test_any_snapshot_or_kernelerror(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "snapshot.json"
    path.write_bytes(content)
    try:
        assert isinstance(_snapshot.load(str(path)), _snapshot.Snapshot)
    except KernelError:
        return


@pytest.mark.parametrize("text", ["\u00a01-2-3-4", "1-2-3-4\u2003", "1-2-3-4\x1c", "\u0661-2-3-4"])
def test_a_key_with_odd_blanks_is_none(text: str) -> None:
    with pytest.raises(KernelError, match="four groups"):
        _kernel.normalise_key(text)


def test_names_of_files_sort_as_bytes(tmp_path: pathlib.Path) -> None:
    """0xff comes behind every UTF-8 name, as strcmp(3) has it; as text it is a surrogate before some letters."""
    folder = tmp_path / "etc/sysctl.d"
    folder.mkdir(parents=True)
    for name, number in ((b"\xef\xbc\x81.conf", 1), (b"\xff.conf", 3)):
        with open(os.path.join(os.fsencode(folder), name), "w", encoding="ascii") as stream:
            stream.write(f"{KEY} = {number}\n")
    assert _sysctl_files.boot_value(KEY, str(tmp_path)).value == "3"


def test_files_that_lead_nowhere(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "etc/sysctl.d"
    folder.mkdir(parents=True)
    (folder / "a.conf").write_text(f"{KEY} = 3\n")
    (folder / "b.conf").symlink_to("b.conf")
    (folder / "c.conf").symlink_to("a.conf/x")
    assert _sysctl_files.boot_value(KEY, str(tmp_path)).value == "3"


@given(SYSCTL_FILES)
def test_any_text_that_is_assumed_to_be_utf8(content: bytes) -> None:
    text = _ascii.text(content)
    assume(_ascii.is_utf8(text))
    assert content.decode("utf-8") == text
