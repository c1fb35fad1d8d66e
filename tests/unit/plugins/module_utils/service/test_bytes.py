# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files, systemctl and /proc byte by byte, by table and by property."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _process, _systemd
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils import _bytes
from hypothesis import given
from hypothesis import strategies as st

P = "/usr/bin/ss-server"
LINE = f"ExecStart={P} -c x".encode()
UNITS = _bytes.of(
    b"[Service]\n", LINE, LINE + b"\n", b"\\\n", b"# ", b"; ", b"'", b'"', b"\\", b"\n", b" -v", b"ExecStart=\n"
)
ROW = "   0: 00000000:20C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"


def resolve(raw: bytes) -> _exec_start.Below:
    return _exec_start.resolve([_exec_start.Source("/a", _ascii.text(raw), 0o644)])


@given(UNITS, st.sampled_from(["server", "client"]))
def test_any_unit_file_or_unfit(raw: bytes, side: str) -> None:
    """What is repeated is what stands there, byte by byte; with our drop-in on top, only the flag comes."""
    try:
        below = resolve(b"[Service]\n" + raw)
    except _exec_start.Unfit:
        return
    text = _exec_start.drop_in(below, side)
    assert _exec_start.parse_drop_in(_ascii.text(_ascii.raw(text))) == (side, below.digest)
    sources = [
        _exec_start.Source("/a", _ascii.text(b"[Service]\n" + raw), 0o644),
        _exec_start.Source("/z", text, 0o644),
    ]
    above = _exec_start.resolve(sources)
    assert (above.exec_start, above.own_flag) == (f"{below.exec_start} {_exec_start.FLAG}", True)


@given(UNITS)
def test_any_drop_in(raw: bytes) -> None:
    assert _exec_start.parse_drop_in(_ascii.text(raw)) == ("", "")


@pytest.mark.parametrize("odd", [odd.decode("latin-1") for odd in _bytes.ODD if len(odd) == 1] + ["\u2028", "\u2003"])
def test_what_is_no_blank_and_no_line_end(odd: str) -> None:
    raw = f"[Service]\nExecStart={P} a{odd}b{odd}\n{odd}ExecStart=/no\n{odd}# no comment \\\nNice=1\n".encode()
    assert resolve(raw).exec_start == f"{P} a{odd}b{odd}"


@pytest.mark.parametrize("end", ["\n", "\r", "\0", "\r\n", "\n\r", "\n\0", "\r\0", "\r\n\0", "\n\r\0"])
def test_line_ends_of_several_kinds_are_one(end: str) -> None:
    """An empty line would end what a backslash continues."""
    assert resolve(f"[Service]{end}ExecStart={P} \\{end}a{end}Nice=1{end}".encode()).exec_start == f"{P}  a"


@pytest.mark.parametrize("odd", ["\ufffe", "\uffff", "\ufdd0", "\U0001ffff"])
def test_noncharacters_are_no_utf8_to_systemd(odd: str) -> None:
    with pytest.raises(_exec_start.Unfit, match="not UTF-8"):
        resolve(f"[Service]\nDescription={odd}\nExecStart={P}\n".encode())
    assert resolve(f"# {odd}\n[Service]\nExecStart={P}\n".encode()).exec_start == P


def test_paths_of_drop_ins_have_any_character() -> None:
    assert _exec_start._paths('/a\u00a0b\u2028.conf "/c d\\"\\n.conf"') == ["/a\u00a0b\u2028.conf", '/c d"\n.conf']


SHOWN = _bytes.of(b"Id=a.service", b"\n", b"\n\n", b"MainPID=", b"NRestarts=", b"1", b"[not set]", b"=")


@given(SHOWN)
def test_anything_that_systemctl_may_show(raw: bytes) -> None:
    for unit in _systemd.parse_show(_ascii.text(raw)):
        assert (type(unit.name), type(unit.pid), type(unit.restarts)) == (str, int, int)


@pytest.mark.parametrize("odd", ["\x0b", "\x1c", "\x85", "\u2028", "\r"])
def test_a_value_is_a_whole_line(odd: str) -> None:
    unit = _systemd.parse_show(f"Id=a.service\nResult=x{odd}LoadState=masked\nLoadState=loaded\n")[0]
    assert (unit.result, unit.load_state) == (f"x{odd}LoadState=masked", "loaded")
    unit = _systemd.parse_show(f"Id=a.service\nLoadState=loaded\nResult=x{odd}LoadState=masked\n")[0]
    assert unit.load_state == "loaded"


@pytest.mark.parametrize("number", ["[not set]", "1_0", "\u0663", " 1", "+1", "x"])
def test_a_number_that_is_none(number: str) -> None:
    unit = _systemd.parse_show(f"Id=a.service\nMainPID={number}\nNRestarts={number}\n")[0]
    assert (unit.pid, unit.restarts) == (0, 0)


def test_systemctl_may_print_any_byte(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_bytes(b"#!/bin/sh\nprintf 'Id=caf\\351\\r\\n'\nprintf 'bad \\351\\n' >&2\nexit ${CODE:-0}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert _systemd.systemctl("show") == "Id=caf\udce9\r\n"
    monkeypatch.setenv("CODE", "5")
    with pytest.raises(_systemd.SystemdError, match=r"failed with 5: bad \\xe9; see"):
        _systemd.systemctl("show")


class Proc:
    """A /proc of one process and of one table of sockets."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        (path / "7").mkdir(parents=True, exist_ok=True)
        (path / "net").mkdir(exist_ok=True)

    def read(self, cmdline: bytes, stat: bytes) -> _process.Process | None:
        (self.path / "7/cmdline").write_bytes(cmdline)
        (self.path / "7/stat").write_bytes(stat)
        return _process.read(7, str(self.path))

    def listening(self, table: bytes) -> bool:
        (self.path / "net/tcp").write_bytes(table)
        return _process.listening(8388, str(self.path))


@given(raw=st.binary(max_size=40), name=st.binary(max_size=16))
def test_any_process(tmp_path_factory: pytest.TempPathFactory, raw: bytes, name: bytes) -> None:
    proc = Proc(tmp_path_factory.getbasetemp() / "process")
    fields = b" ".join([b"S", *[b"0"] * 18, b"500", *[b"0"] * 30])
    found = proc.read(raw, b"7 (" + name + b") " + fields + b"\n")
    assert found is not None
    assert [_ascii.raw(word) for word in found.argv] == (raw[:-1] if raw.endswith(b"\0") else raw).split(b"\0")[
        : len(raw)
    ]
    assert proc.read(raw, raw) is None or b")" in raw


@given(_bytes.of(ROW.encode(), b"   1: ", b"00000000:20C4 ", b"0A ", b":", b"\n"))
def test_any_table_of_sockets(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    proc = Proc(tmp_path_factory.getbasetemp() / "sockets")
    assert proc.listening(raw) in (True, False)
    assert proc.listening(b"header\n" + raw.rpartition(b"\n")[0] + b"\n" + ROW.encode()) is True


@pytest.mark.parametrize("port", ["20_4", "0x20C4", " 20C4", "\u0662\u0660C4"])
def test_ports_are_four_digits(tmp_path: pathlib.Path, port: str) -> None:
    table = f"header\n{ROW.replace('20C4', port, 1)}".encode()
    assert Proc(tmp_path).listening(table) is False


def test_a_title_in_place_of_the_arguments(tmp_path: pathlib.Path) -> None:
    fields = b" ".join([b"S", *[b"0"] * 48])
    found = Proc(tmp_path).read(b"ss-server: caf\xe9", b"7 (x\xff\x85) " + fields)
    assert found is not None and found.argv == ["ss-server: caf\udce9"]
