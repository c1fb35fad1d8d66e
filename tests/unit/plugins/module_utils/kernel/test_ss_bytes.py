# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines and configs of Shadowsocks programs by property; Python's getopt and json are the oracles."""

from __future__ import annotations

import getopt
import json
import os
import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _ascii,
    _ss_arguments,
    _ss_config,
    _ss_processes,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils import _bytes
from hypothesis import given
from hypothesis import strategies as st

PIECES = [
    "-c",
    "-u",
    "-uv",
    "-vc",
    "-ca",
    "-k",
    "--",
    "-",
    "x",
    "--fast-open",
    "--fast",
    "--mtu",
    "--mtu=1",
    "-",
    "--acl",
]
COMMANDS = [
    ["ss-server"],
    ["ss-tunnel"],
    ["ssserver"],
    ["ssservice", "local"],
    ["python3", "ssserver"],
    ["python", "-m"],
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("fast_open"), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(_ss_arguments._LIBEV)), st.lists(st.sampled_from(PIECES), max_size=8))
def test_like_getopt(program: str, arguments: list[str]) -> None:
    letters = _ss_arguments._LIBEV[program]
    words = [word + "=" * takes for word, takes in _ss_arguments._WORDS[_ss_arguments.LIBEV].items()]
    found = _ss_arguments.parse([program, *arguments])
    assert found is not None
    try:
        options, _rest = getopt.gnu_getopt(arguments, letters, words)
    except getopt.GetoptError:
        return  # the program would have ended
    assert found.flag == (("--fast-open", "") in options)
    assert found.config == ([value for option, value in options if option == "-c"] or [None])[-1]
    assert (found.doubt, found.default) == ("", not arguments and program != "ss-manager")


@given(
    st.sampled_from(COMMANDS), _bytes.of(b"-c", b"--fast-open", b"-", b"--", b"=", b"-m", b"\0", b"shadowsocks.local")
)
def test_any_command_line(command: list[str], raw: bytes) -> None:
    found = _ss_arguments.parse([*command, *_process.arguments(raw)])
    assert found is None or found.program.split()[0] in _ss_arguments.PROGRAMS


@given(st.lists(st.binary(max_size=9).map(lambda word: word.replace(b"\0", b"")), max_size=5))
def test_arguments_as_the_kernel_has_them(argv: list[bytes]) -> None:
    raw = b"".join(word + b"\0" for word in argv)
    assert list(map(_ascii.raw, _process.arguments(raw))) == argv


@given(st.dictionaries(st.text(), JSON, max_size=4), st.none() | JSON, st.booleans(), st.sampled_from([None, 1]))
def test_any_json(config: dict, fast_open: object, ascii_only: bool, indent: int | None) -> None:
    config = {"fast_open": fast_open, **config}
    raw = json.dumps(config, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    assert _ss_config.fast_open(raw) is (config["fast_open"] is True)


@given(_bytes.of(b"{", b"}", b"[", b"]", b":", b",", b'"', b"'", b"fast_open", b"true", b"//", b"/*", b"*/", b"\\"))
def test_any_config(raw: bytes) -> None:
    assert _ss_config.fast_open(raw) in (True, False, None)
    assert _ss_config.fast_open(raw, truthy=True) in (True, False, None)


@pytest.mark.parametrize("name", [b"caf\xe9.json", b"a\xc2\xa0b.json", b"a\x0bb.json", b"a\nb.json"])
def test_paths_are_bytes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    monkeypatch.setattr(_process, "read", lambda pid, proc: None)
    for folder in ("self/ns", "7/ns", "7/root", "\u0667", "7x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "7/cmdline").write_bytes(b"ss-server\0-c\0/" + name + b"\0")
    with open(os.path.join(os.fsencode(tmp_path), b"7/root", name), "wb") as stream:
        stream.write(b'{"remark": "\xe9", "fast_open": true}')
    [found] = _ss_processes.find(str(tmp_path))
    assert (found.pid, found.reason) == (7, "fast_open is true in /" + name.decode("utf-8", "backslashreplace"))
    assert found.reason.encode("utf-8")


def test_a_long_command_line(tmp_path: pathlib.Path) -> None:
    for folder in ("self/ns", "7/ns"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "7/cmdline").write_bytes(b"ss-server\0-k\0" + b"x" * 200_000 + b"\0--fast-open\0")
    assert _ss_processes.find(str(tmp_path))[0].reason == "--fast-open in its arguments"
