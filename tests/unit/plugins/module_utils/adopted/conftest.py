# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with Shadowsocks services of somebody else: a made-up /proc beside systemd in memory."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _owned, _process
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._fake_systemd import FakeSystemd

CONFIG: dict[str, t.Any] = {
    "server": ["::1", "192.0.2.1"],
    "server_port": 8388,
    "local_port": 1080,
    "method": "aes-256-gcm",
    "password": "s3cret-word",
    "plugin_opts": "key=s3cret-opts",
}
ROW = "  0: {address}:{port:04X} 0:0 0A 0:0 00:0 0 0 0 {inode} 1\n"


class Host(FakeSystemd):
    """Processes are started by units, or by anybody else (``spawn``). ``systemd`` False: there is none."""

    systemd = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.proc = root / "proc"
        self.sockets = 100
        for folder in ("net", "self/ns"):
            (self.proc / folder).mkdir(parents=True)
        (self.proc / "net/tcp").write_text("  sl\n")
        (self.proc / "self/ns/net").symlink_to("net:[1]")
        self.cgroup(1, "/init.scope")
        self.unlink_packaged()

    def unlink_packaged(self) -> None:
        for path in self.lib_unit_dir.iterdir():
            path.unlink()

    def cgroup(self, pid: int, path: str) -> None:
        (self.proc / str(pid)).mkdir(exist_ok=True)
        (self.proc / f"{pid}/cgroup").write_text(f"0::{path}\n")

    def config(self, path: str = "/etc/ss.json", **change: t.Any) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**CONFIG, **change}))

    def spawn(
        self, pid: int, argv: t.Sequence[str], cgroup: str = "/user.slice/session-1.scope", **process: t.Any
    ) -> int:
        """A process that sees the host's files; ``ports`` are those that it listens on, ``old``: its config is older."""
        folder = self.proc / str(pid)
        (folder / "ns").mkdir(parents=True)
        (folder / "fd").mkdir()
        (folder / "ns/net").symlink_to(process.get("namespace", "net:[1]"))
        (folder / "root").symlink_to(self.root)
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
        (folder / "comm").write_text(argv[0].rpartition("/")[2] + "\n")
        (folder / "environ").write_text(process.get("environ", "HOME=/root\0"))
        self.cgroup(pid, cgroup)
        self.processes[pid] = _process.Process(list(argv), time.time() + (60 if process.get("old", True) else -60))
        for port in process.get("ports", ()):
            self.listen(port, pid)
        return pid

    def listen(self, port: int, pid: int, address: str = "0100007F") -> None:
        self.sockets += 1
        (self.proc / f"{pid}/fd/{self.sockets}").symlink_to(f"socket:[{self.sockets}]")
        with (self.proc / "net/tcp").open("a") as stream:
            stream.write(ROW.format(address=address, port=port, inode=self.sockets))

    def serve(self, unit: str, exec_start: str, pid: int = 7, **process: t.Any) -> int:
        """A unit with its main process; ``argv`` where that is not what ExecStart says, ``extra`` lines of [Service]."""
        self.put(self.lib_unit_dir / unit, f"[Service]\nExecStart={exec_start}\n{process.pop('extra', '')}")
        argv = process.pop("argv", exec_start.split())
        self.spawn(pid, argv, f"/system.slice/{unit}", **process)
        self.running[unit] = pid
        return pid

    def run(self, command: list[str], **_options: object) -> subprocess.CompletedProcess[bytes]:
        """Stands for subprocess.run."""
        if not self.systemd:
            raise FileNotFoundError(command[0])
        assert command[:3] == ["systemctl", "--no-ask-password", "show"], command
        code, out = self._systemctl(*command[2:])
        return subprocess.CompletedProcess(command, code, out.encode(), b"")


def knows_fast_open(path: str, *subcommand: str) -> bool:
    """Stands for the help of a program, where ssservice has one for each of its subcommands."""
    return "old" not in path and list(subcommand) in ([["server"], ["local"]] if "ssservice" in path else [[]])


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Nothing runs, and /etc/ss.json is a config."""
    made = Host(tmp_path)
    made.config()
    monkeypatch.setattr(subprocess, "run", made.run)
    monkeypatch.setattr(_binary, "knows_fast_open", knows_fast_open)
    monkeypatch.setattr(_owned, "FOLDER", str(tmp_path / "var/lib/fastopen.shadowsocks"))
    monkeypatch.setattr(_process, "read", lambda pid, proc="/proc": made.processes.get(pid))
    return made
