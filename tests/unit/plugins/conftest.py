# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian host at its edges: commands answered from memory, files in tmp_path, no packet sent."""

from __future__ import annotations

import functools
import grp
import json
import os
import shutil
import subprocess
import time
import types
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _kernel, _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _files, _process, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel

SYSCTLS = {
    _proc.FASTOPEN: "1",
    _proc.FASTOPEN_KEY: "00000000-00000000-00000000-00000000",
    _proc.BLACKHOLE_TIMEOUT: "0",
    _proc.MAX_SYN_BACKLOG: "2048",
    _proc.SYNCOOKIES: "1",
    _proc.SOMAXCONN: "4096",
}


class FakeHost:
    """Answers the commands that the collection runs, like systemd on Debian does, and fails on any other.

    ``done`` lists what changed something, in order. ``broken`` units die at their start. ``verdicts`` maps a port to
    the verdict of its path; without an entry a path carries TFO when this kernel may send. ``answers`` is false where
    no request gets through.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unit_dir = root / "etc/systemd/system"
        self.config_dir = root / "etc/shadowsocks"
        self.state_dir = root / "var/lib/fastopen"
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.running: dict[str, int] = {}
        self.failed: set[str] = set()
        self.processes: dict[int, _process.Process] = {}
        self.loaded: dict[str, str] = {}
        self.owners: dict[int, tuple[int, int]] = {}
        self.group: int | None = None
        self.packaged = True
        self.version: str | None = "3.3.5+ds-10"
        self.help = "--fast-open"
        self.verdicts: dict[int, str] = {}
        self.probed: list[tuple[str, int]] = []
        self.answers = True
        self.active_fast_opens = 0
        for folder in (self.unit_dir, root / "etc/sysctl.d", root / "proc"):
            folder.mkdir(parents=True)
        for name, value in SYSCTLS.items():
            path = Path(_proc.sysctl_path(name, str(root / "proc")))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n", encoding="ascii")

    def put(self, path: Path | str, text: str, mode: int = 0o644) -> None:
        """A file that somebody else wrote, root's."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        os.chmod(path, mode)
        self.owners[os.stat(path).st_ino] = (0, 0)

    def tree(self) -> dict[str, bytes | str]:
        """Every file and link below etc, to compare before and after."""
        paths = sorted(path for path in (self.root / "etc").rglob("*") if path.is_symlink() or path.is_file())
        return {str(path): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in paths}

    def sysctl(self, name: str = _proc.FASTOPEN) -> str | None:
        """The present value of a sysctl."""
        return _proc.read_sysctl(name, str(self.root / "proc"))

    def run(self, command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        """Stands for subprocess.run."""
        if command[0] == "systemctl":
            assert command[1] == "--no-ask-password"
            code, out = self._systemctl(*command[2:])
        elif command[0] == "dpkg-query":
            code, out = (0, f"installed {self.version}") if self.version else (1, "")
        elif command[0] == "journalctl":
            code, out = 0, "ERROR: the last words\n\n"
        elif command[0] == "groupadd":
            self.group, code, out = 990, 0, ""
        elif command[0] == "groupdel":
            self.group, code, out = None, 0, ""
        else:
            assert command[1:] == ["-h"] and command[0].startswith("/usr/bin/ss-"), command
            code, out = 0, self.help
        if command[0] in ("groupadd", "groupdel"):
            self.done.append(" ".join(command))
        return subprocess.CompletedProcess(command, code, out, "" if code == 0 else out)

    def _systemctl(self, verb: str, *units: str) -> tuple[int, str]:
        if verb == "show":
            assert units[0].startswith("--property=")
            return 0, "\n".join(self._show(unit) for unit in units[1:])
        self.done.append(" ".join((verb, *units)))
        now = "--now" in units
        for unit in (unit for unit in units if unit != "--now"):
            known = self._load_state(unit) == "loaded"
            alive = unit in self.running or unit in self.failed or self._wants(unit).is_symlink()
            if verb == "reset-failed" and not alive:
                return 1, f"Failed to reset failed state of unit {unit}: Unit {unit} not loaded."
            if verb in ("enable", "restart", "start") and not known:
                return 5, f"Unit {unit} not found."
            if verb == "enable":
                self._wants(unit).parent.mkdir(exist_ok=True)
                self._wants(unit).unlink(missing_ok=True)
                self._wants(unit).symlink_to(self._file(unit))
            elif verb == "disable":
                self._wants(unit).unlink(missing_ok=True)
            elif verb == "mask":
                (self.unit_dir / unit).symlink_to("/dev/null")
            if verb in ("disable", "mask") and now:
                self._stop(unit)
            elif verb in ("restart", "start"):
                self._stop(unit)
                self._start(unit)
            elif verb == "reset-failed":
                self.failed.discard(unit)
        if verb == "daemon-reload":
            self.loaded.clear()
        assert verb in ("enable", "disable", "mask", "restart", "start", "reset-failed", "daemon-reload"), verb
        return 0, ""

    def _wants(self, unit: str) -> Path:
        return self.unit_dir / "multi-user.target.wants" / unit

    def _file(self, unit: str) -> Path:
        return self.unit_dir / (unit.partition("@")[0] + "@.service" if "@" in unit else unit)

    def _load_state(self, unit: str) -> str:
        if (self.unit_dir / unit).is_symlink():
            return "masked"
        return (
            "loaded" if self._file(unit).exists() or (unit == _service.PACKAGED_UNIT and self.packaged) else "not-found"
        )

    def _show(self, unit: str) -> str:
        state = self._load_state(unit)
        current = self._file(unit).read_text(encoding="utf-8") if self._file(unit).is_file() else ""
        stale = self.loaded.setdefault(unit, current) != current if state == "loaded" else False
        enabled = self._wants(unit).is_symlink()
        active = "active" if unit in self.running else "failed" if unit in self.failed else "inactive"
        fields = {
            "Id": unit,
            "LoadState": state,
            "ActiveState": active,
            "SubState": {"active": "running", "failed": "failed"}.get(active, "dead"),
            "UnitFileState": {"not-found": "", "masked": "masked"}.get(state, "enabled" if enabled else "disabled"),
            "MainPID": self.running.get(unit, 0),
            "NeedDaemonReload": "yes" if stale else "no",
        }
        return "".join(f"{key}={value}\n" for key, value in fields.items())

    def _start(self, unit: str) -> None:
        if unit in self.broken:
            self.failed.add(unit)
            return
        current = self._file(unit).read_text(encoding="utf-8") if self._file(unit).is_file() else "ExecStart=x"
        line = next(row for row in self.loaded.setdefault(unit, current).splitlines() if row.startswith("ExecStart="))
        program, _at, instance = unit.removesuffix(".service").partition("@")
        argv = line.partition("=")[2].replace("%p", program).replace("%i", instance).split()
        self.running[unit] = pid = 1000 + len(self.processes)
        self.processes[pid] = _process.Process(argv, time.time())

    def _stop(self, unit: str) -> None:
        self.running.pop(unit, None)
        self.failed.discard(unit)

    def listening(self, port: int) -> bool:
        """Whether a running service listens, by the config that its process names."""
        for pid in self.running.values():
            argv = self.processes[pid].argv
            if "-c" in argv:
                config = json.loads(Path(argv[argv.index("-c") + 1]).read_text(encoding="utf-8"))
                if port == config["server_port" if argv[0].endswith("ss-server") else "local_port"]:
                    return True
        return False

    def probe(self, host: str, port: int, attempts: int) -> dict[str, object]:
        """Stands for _path.probe."""
        assert attempts >= 3
        self.probed.append((host, port))
        verdict = "fast_open" if int(self.sysctl() or 0) & 1 else "client_off"
        return {"host": host, "port": port, "verdict": self.verdicts.get(port, verdict)}

    def fetch(self, _proxy: tuple[str, int], _url: str, _timeout: float) -> _tunnel.Fetch:
        """Stands for _tunnel.fetch."""
        flagged = any("--fast-open" in self.processes[pid].argv for pid in self.running.values())
        self.active_fast_opens += flagged
        return _tunnel.Fetch(True, 50.0, 200) if self.answers else _tunnel.Fetch(False, None, error="timed out")


@pytest.fixture
def fake_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A Debian host with shadowsocks-libev as apt leaves it: its own server enabled and running."""
    host = FakeHost(tmp_path)
    read_file, read_sysctl = _files.read, _proc.read_sysctl

    def with_owner(path: str) -> _files.State | None:
        state = read_file(path)
        if state is None:
            return None
        uid, gid = host.owners.get(os.lstat(path).st_ino, (state.uid, state.gid))
        return state._replace(uid=uid, gid=gid)

    def getgrnam(name: str) -> object:
        assert name == _service.GROUP
        if host.group is None:
            raise KeyError(name)
        return types.SimpleNamespace(gr_gid=host.group)

    monkeypatch.setattr(_service, "UNIT_DIR", str(host.unit_dir))
    monkeypatch.setattr(_service, "CONFIG_DIR", str(host.config_dir))
    monkeypatch.setattr(_record, "FOLDER", str(host.state_dir))
    monkeypatch.setattr(_files, "read", with_owner)
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: host.owners.update({os.fstat(fd).st_ino: (uid, gid)}))
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: host.owners.update({os.stat(path).st_ino: (uid, gid)}))
    monkeypatch.setattr(grp, "getgrnam", getgrnam)
    monkeypatch.setattr(subprocess, "run", host.run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if host.version else None)
    monkeypatch.setattr(_process, "read", host.processes.get)
    monkeypatch.setattr(_process, "listening", host.listening)
    monkeypatch.setattr(_path, "probe", host.probe)
    monkeypatch.setattr(_tunnel, "fetch", host.fetch)
    monkeypatch.setattr(_counters, "read", lambda: {"TCPFastOpenActive": host.active_fast_opens})
    monkeypatch.setattr(_kernel, "converge", functools.partial(_kernel.converge, root=str(tmp_path)))
    monkeypatch.setattr(_kernel, "restore", functools.partial(_kernel.restore, root=str(tmp_path)))
    monkeypatch.setattr(
        _proc,
        "read_sysctl",
        lambda name, proc="/proc": read_sysctl(name, str(tmp_path / "proc") if proc == "/proc" else proc),
    )
    monkeypatch.setattr(_apply, "START_SECONDS", 0.05)
    monkeypatch.setattr(_apply, "STEADY_SECONDS", 0.0)
    host._systemctl("enable", _service.PACKAGED_UNIT)
    host._systemctl("start", _service.PACKAGED_UNIT)
    host.done.clear()
    return host


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]):
    """Call a module's main() with arguments and give the JSON that it prints."""

    def run(main, *, check: bool = False, **arguments: object) -> dict[str, object]:
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return run
