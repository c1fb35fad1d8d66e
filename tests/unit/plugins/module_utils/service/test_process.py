# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and listeners, read from a real child, a real socket, and from tables."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process


def test_child():
    """A child's arguments as they are, and its start within a clock tick or two of the clock."""
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()", "a b", "", "--fast-open"]
    before = time.time()
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
        after = time.time()
        deadline = time.monotonic() + 10
        while (process := _process.read(child.pid)) is None or process.argv != argv:
            assert time.monotonic() < deadline, process  # between fork and exec the arguments are still ours
        child.stdin.close()
    assert before - 2 * _process.TICK_SECONDS <= process.started <= after + 2 * _process.TICK_SECONDS
    assert _process.read(child.pid) is None


@pytest.mark.parametrize("upgraded", [False, True])
def test_program_that_was_replaced(tmp_path, upgraded):
    """As package managers do it: another file gets the name."""
    program, new = tmp_path / "sleep", tmp_path / "new"
    for file in (program, new):
        shutil.copy(shutil.which("sleep"), file)
    with subprocess.Popen([program, "60"]) as child:
        if upgraded:
            new.rename(program)
        assert _process.read(child.pid).replaced == (str(program) if upgraded else "")
        child.kill()


def test_name_with_a_bracket(tmp_path):
    """The name in /proc/PID/stat may hold anything, so fields are counted from its end."""
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"/usr/bin/ss-local\0-c\0/x.json\0")
    ticks = int(5 / _process.TICK_SECONDS)
    fields = ["S", *["0"] * 18, str(ticks), *["0"] * 30]
    (folder / "stat").write_text(f"7 (odd ) name) {' '.join(fields)}\n")
    process = _process.read(7, str(tmp_path))
    assert process.argv == ["/usr/bin/ss-local", "-c", "/x.json"]
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert process.started - boot == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")]
)
def test_listening(family, address):
    """Bound is not listening, and after closing it is over."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind((address, 0))
        port = listener.getsockname()[1]
        assert _process.listening(port) is False
        listener.listen()
        assert _process.listening(port) is True
    assert _process.listening(port) is False


def test_a_connection_is_no_listener():
    """The client's end of a connection has a local port too."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            assert _process.listening(client.getsockname()[1]) is False


def test_host_without_ipv6(tmp_path):
    """A missing tcp6 table is no error."""
    os.mkdir(tmp_path / "net")
    row = "   0: 00000000:20C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
    (tmp_path / "net" / "tcp").write_text("  sl  local_address rem_address   st\n" + row)
    assert _process.listening(8388, str(tmp_path)) is True
    assert _process.listening(8389, str(tmp_path)) is False
