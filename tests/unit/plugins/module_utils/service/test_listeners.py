# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a port, on this machine and out of files."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _listeners


@pytest.mark.parametrize(
    ("family", "kind", "address"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::ffff:127.0.0.1"),
    ],
)
@pytest.mark.parametrize("likely", [(), (os.getpid(),)])
def test_this_process(family, kind, address, likely):
    """A real socket, with its process."""
    with socket.socket(family, kind) as sock:
        sock.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        port = sock.getsockname()[1]
        (found,) = _listeners.holders([port], likely)
    address = address.removeprefix("::ffff:")  # it keeps others from the IPv4 address
    protocol = "tcp" if kind == socket.SOCK_STREAM else "udp"
    assert (found.protocol, found.address, found.port, found.pid) == (protocol, address, port, os.getpid())
    assert str(found).startswith(f"{protocol} port {port} on {address} is held by pid {os.getpid()} ({found.program}")
    assert _listeners.holders([port]) == []


ROW = "  0: 0100007F:20C4 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0000 100\n"
UNIT = "0::/system.slice/system-ss\\x2dserver.slice/ss-server@main.service"


@pytest.fixture
def proc(tmp_path):
    """A /proc with one listener on 127.0.0.1:8388, of user 61000, whose descriptors are hidden."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text("  sl  local_address\n" + ROW.format(state="0A", uid=61000, inode=77))

    def process(pid, uid, comm, cgroup, hidden=True):
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{comm}\n")
        (folder / "cgroup").write_text(f"{cgroup}\n")
        (folder / "status").write_text(f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        if not hidden:
            os.symlink("socket:[77]", folder / "fd/5")

    process(1, 0, "systemd", "0::/init.scope")
    return tmp_path, process


def test_descriptor_that_is_seen(proc):
    """Its own process, whatever else that user runs."""
    path, process = proc
    process(10, 61000, "other", "0::/")
    process(11, 61000, "ss-server", UNIT, hidden=False)
    (found,) = _listeners.holders([8388], proc=str(path))
    assert (found.address, found.pid, found.unit) == ("127.0.0.1", 11, "ss-server@main.service")


@pytest.mark.parametrize(
    ("others", "shown"),
    [
        ([(11, "ss-server", UNIT)], "pid 11 (ss-server, ss-server@main.service)"),
        ([(11, "ss-server", UNIT), (12, "obfs-server", UNIT)], "pid 11 (ss-server, ss-server@main.service)"),
        ([(11, "ss-server", "0::/user.slice")], "pid 11 (ss-server)"),
        ([(11, "ss-server", UNIT), (12, "bash", "0::/user.slice")], "a process of user 61000"),
        ([], "a process of user 61000"),
    ],
)
def test_descriptor_that_is_hidden(proc, others, shown):
    """By its user, where that leaves no doubt; a guess is not made."""
    path, process = proc
    for pid, comm, cgroup in others:
        process(pid, 61000, comm, cgroup)
    (found,) = _listeners.holders([8388], proc=str(path))
    assert str(found).endswith(f"is held by {shown}")
    assert bool(found.maybe) == (found.pid == 0 and bool(others))


def test_instances_of_one_template_share_a_user(proc):
    """So any of them may hold it."""
    path, process = proc
    for pid, name in ((11, "a"), (12, "b")):
        process(pid, 61000, "ss-server", UNIT.replace("main", name))
    (found,) = _listeners.holders([8388], proc=str(path))
    assert (found.pid, found.unit, found.maybe) == (0, "", ("ss-server@a.service", "ss-server@b.service"))


def test_other_states_and_ports(proc):
    """A connection is no listener."""
    path, _process = proc
    (path / "net/tcp").write_text("  sl\n" + ROW.format(state="01", uid=0, inode=7) + "garbage\n\n")
    assert _listeners.holders([8388], proc=str(path)) == []
    assert _listeners.holders([8388], proc=str(path / "nowhere")) == []
