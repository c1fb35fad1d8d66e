# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that use TCP Fast Open, in a made-up /proc."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_processes
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process

STARTED = 1_700_000_000.0


class Proc:
    """A /proc of processes; each sees its files below its own root."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._namespace("self", "net:[1]")

    def _namespace(self, pid: int | str, name: str) -> None:
        (self.path / f"{pid}/ns").mkdir(parents=True)
        (self.path / f"{pid}/ns/net").symlink_to(name)

    def add(self, pid: int, *argv: str, namespace: str = "net:[1]", config: str | None = None, age: float = 60) -> None:
        self._namespace(pid, namespace)
        (self.path / f"{pid}/cmdline").write_bytes(b"".join(part.encode() + b"\0" for part in argv))
        if config is not None:
            file = self.path / f"{pid}/root/etc/main.json"
            file.parent.mkdir(parents=True)
            file.write_text(config)
            os.utime(file, (STARTED - age, STARTED - age))

    def find(self) -> dict[int, str]:
        return {process.pid: process.reason for process in _ss_processes.find(str(self.path))}


@pytest.fixture
def proc(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    monkeypatch.setattr(_process, "read", lambda pid, root: _process.Process([], STARTED))
    return Proc(tmp_path)


@pytest.mark.parametrize(
    "argv",
    [
        ["/usr/bin/ss-server", "--fast-open"],
        ["ss-local", "-c", "/nowhere.json", "--fast-open"],
        ["/usr/bin/sslocal", "--tcp-fast-open", "-b", "127.0.0.1:1080"],
        ["ssservice", "server", "--fast-open"],
        ["ss-manager", "--fast-open"],
    ],
)
def test_flag(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv)
    assert proc.find() == {7: "--fast-open in its arguments"}


@pytest.mark.parametrize("option", [["-c", "/etc/main.json"], ["--config", "/etc/main.json"], ["-c/etc/main.json"]])
@pytest.mark.parametrize(
    ("config", "found"),
    [
        ('{"server": "::", "fast_open": true}', True),
        ('{"fast_open" : true}', True),
        ("{fast_open: true, // JSON5\n}", True),
        ('{"fast_open": false}', False),
        ('{"fast_open": "true"}', False),
        ('{"no_fast_open": true}', False),
        ("{}", False),
    ],
)
def test_config(proc: Proc, option: list[str], config: str, found: bool) -> None:
    proc.add(7, "ss-redir", *option, config=config)
    assert proc.find() == ({7: "fast_open is true in /etc/main.json"} if found else {})


def test_config_that_changed_after_the_start(proc: Proc) -> None:
    proc.add(7, "ss-local", "-c", "/etc/main.json", config="{}", age=-1)
    assert proc.find() == {
        7: "/etc/main.json changed after its start, so it may still use TCP Fast Open; restart it",
    }


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["/usr/sbin/nginx", "--fast-open"],
        ["vim", "ss-server", "--fast-open"],
        ["ss-server"],
        ["ss-server", "-c"],
        ["ss-server", "-c", "/gone.json"],
    ],
)
def test_others(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv)
    assert proc.find() == {}


def test_other_network_namespace(proc: Proc) -> None:
    proc.add(7, "ss-server", "--fast-open", namespace="net:[2]")
    assert proc.find() == {}


def test_hidden_network_namespace_counts_as_ours(proc: Proc) -> None:
    proc.add(7, "ss-server", "--fast-open")
    (proc.path / "7/ns/net").unlink()
    assert list(proc.find()) == [7]


def test_process_that_ends_meanwhile(proc: Proc) -> None:
    (proc.path / "8").mkdir()
    assert proc.find() == {}


def test_relative_config(proc: Proc) -> None:
    proc.add(7, "ss-server", "-c", "main.json")
    (proc.path / "7/cwd").mkdir()
    (proc.path / "7/cwd/main.json").write_text('{"fast_open": true}')
    assert proc.find() == {7: "fast_open is true in main.json"}


def test_real_proc() -> None:
    assert _ss_processes._argv("/proc", str(os.getpid()))[0]
    assert _ss_processes._network_namespace("/proc", "self") == os.readlink("/proc/self/ns/net")
