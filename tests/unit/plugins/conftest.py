# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian host at its edges: commands answered from memory, files in tmp_path, no packet sent."""

from __future__ import annotations

import functools
import grp
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _counters,
    _kernel,
    _proc,
    _switch,
    _sysctl_files,
    _transaction,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _access,
    _binary,
    _files,
    _listeners,
    _owned,
    _packaged,
    _plugin,
    _process,
    _restart,
    _secrets,
    _service,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record, _tidy
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._fake_systemd import FakeSystemd

SYSCTLS = {
    _proc.FASTOPEN: "1",
    _proc.FASTOPEN_KEY: "00000000-00000000-00000000-00000000",
    _proc.BLACKHOLE_TIMEOUT: "0",
    _proc.MAX_SYN_BACKLOG: "2048",
    _proc.SYNCOOKIES: "1",
    _proc.SOMAXCONN: "4096",
}


class FakeHost(FakeSystemd):
    """Answers the commands that the collection runs, like a Debian host does, and fails on any other.

    ``verdicts`` maps a port to the verdict of its path; without an entry a path carries TFO when this kernel may send.
    ``answers`` is false where no request gets through. ``no_plugins`` maps a plugin to why it cannot be started; those that
    ``ended`` have left their service alone.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.config_dir = root / "etc/shadowsocks"
        self.state_dir = root / "var/lib/fastopen"
        self.run_dir = root / "run/fastopen"
        self.program = root / "usr/local/lib/fastopen/fastopen"
        self.group: int | None = None
        self.version: str | None = "3.3.5+ds-10"
        self.help = "--fast-open"
        self.verdicts: dict[int, str] = {}
        self.probed: list[tuple[str, int]] = []
        self.answers = True
        self.no_plugins: dict[str, str] = {}
        self.ended: set[str] = set()
        self.active_fast_opens = 0
        self.holders: list[_listeners.Holder] = []
        self.packaged_config = root / "etc/shadowsocks-libev/config.json"
        self.packaged_defaults = root / "etc/default/shadowsocks-libev"
        template = '{"server_port":8388, "password":"barfoo!"}'
        self.put(root / "usr/share/shadowsocks-libev/config.json", template)
        self.put(self.packaged_config, template.replace("barfoo!", "aB3dE6gH9jK2"))
        self.put(self.packaged_defaults, "START=yes\n")
        self.conffiles = f" {self.packaged_defaults} {hashlib.md5(b'START=yes' + bytes([10])).hexdigest()}\n"
        for folder in (root / "etc/sysctl.d", root / "proc"):
            folder.mkdir(exist_ok=True)
        for name, value in SYSCTLS.items():
            path = Path(_proc.sysctl_path(name, str(root / "proc")))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n", encoding="ascii")

    def tree(self) -> dict[str, bytes | str]:
        """Every file and link below etc, to compare before and after."""
        paths = sorted(path for path in (self.root / "etc").rglob("*") if path.is_symlink() or path.is_file())
        return {str(path): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in paths}

    def sysctl(self, name: str = _proc.FASTOPEN) -> str | None:
        """The present value of a sysctl."""
        return _proc.read_sysctl(name, str(self.root / "proc"))

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[Any]:
        """Stands for subprocess.run."""
        if command[0] == "systemctl":
            assert command[1] == "--no-ask-password"
            code, out = self._systemctl(*command[2:])
        elif command[0] == "systemd-run":
            code, out = self._systemd_run(*command[1:])
        elif command[:2] == ["systemd-analyze", "condition"]:
            code, out = self._condition(command[2].removeprefix("--unit="))
        elif command[0] == "dpkg-query":
            asked = self.conffiles if "Conffiles" in command[2] else f"installed {self.version}"
            code, out = (0, asked) if self.version else (1, "")
        elif command[0] == "journalctl":
            code, out = 0, "ERROR: the last words\n\n"
        elif command[0] == "/usr/bin/groupadd":
            self.group, code, out = 990, 0, ""
            self.done.append(" ".join(command))
        else:
            raise AssertionError(command)
        err = "" if code == 0 else out
        if not options.get("text"):
            return subprocess.CompletedProcess(command, code, out.encode(), err.encode())
        return subprocess.CompletedProcess(command, code, out, err)

    def process(self, pid: int, _proc: str = "/proc") -> _process.Process | None:
        """Stands for _process.read."""
        return self.processes[pid] if pid in self.running.values() else None

    def children(self, pid: int) -> set[int]:
        """Stands for _plugin.running: a plugin has the number of its service."""
        if pid not in self.running.values():
            return set()
        argv = self.processes[pid].argv
        config = json.loads(Path(argv[argv.index("-c") + 1]).read_text(encoding="utf-8"))
        return set() if _plugin.of(config) in {"", *self.ended} else {pid}

    def listening(self, port: int) -> bool:
        """Whether a running service listens, by the config that its process names."""
        return bool(self.listeners(port))

    def listeners(self, port: int) -> set[int]:
        """Stands for _process.listeners: of each service that listens the number of its process is its socket's, too."""
        found = set()
        for pid in self.running.values():
            argv = self.processes[pid].argv
            path = Path(argv[argv.index("-c") + 1]) if "-c" in argv else Path()
            if path.is_file():
                config = json.loads(path.read_text(encoding="utf-8"))
                server = argv[0].endswith(("ss-server", "ssserver"))
                end, *_same = config.get("servers" if server else "locals", [config])
                if port == end["server_port" if server else "local_port"]:
                    found.add(pid)
        return found

    def probe(self, host: str, port: int, attempts: int, ipv6_first: bool = False) -> dict[str, object]:
        """Stands for _path.probe."""
        assert attempts >= 3
        self.probed.append((host, port))
        verdict = "fast_open" if int(self.sysctl() or 0) & 1 else "client_off"
        return {"host": host, "port": port, "verdict": self.verdicts.get(port, verdict)}

    def connect(self, _address: str, port: int, **_options: object) -> _attempt.Attempt:
        """Stands for _attempt.plain."""
        return _attempt.Attempt("plain", self.answers and self.listening(port), 1.0, 1.0, None)

    def fetch(self, _proxy: tuple[str, int], _url: str, _timeout: float) -> _tunnel.Fetch:
        """Stands for _tunnel.fetch."""
        flagged = any("--fast-open" in self.processes[pid].argv for pid in self.running.values())
        self.active_fast_opens += flagged
        return _tunnel.Fetch(True, 50.0, 200) if self.answers else _tunnel.Fetch(False, None, error="timed out")


def rooted(function: Callable[..., Any], root: Path) -> Callable[..., Any]:
    """The function with its parameter ``root`` below this folder wherever it would be the machine's own."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        bound = signature.bind(*arguments, **keywords)
        bound.apply_defaults()
        if bound.arguments["root"] == "/":
            bound.arguments["root"] = str(root)
        return function(*bound.args, **bound.kwargs)

    return call


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

    folder = _access.folder

    def folder_with_owner() -> _access.Folder | None:
        found = folder()
        return found and (found[0], *host.owners.get(os.stat(host.config_dir).st_ino, found[1:]))

    def getgrnam(name: str) -> object:
        assert name == _service.GROUP
        if host.group is None:
            raise KeyError(name)
        return types.SimpleNamespace(gr_gid=host.group)

    monkeypatch.setattr(_service, "UNIT_DIR", str(host.unit_dir))
    monkeypatch.setattr(_service, "RUN_UNIT_DIR", str(host.run_unit_dir))
    monkeypatch.setattr(_service, "CONFIG_DIR", str(host.config_dir))
    monkeypatch.setattr(_owned, "FOLDER", str(tmp_path / "var/lib/fastopen.shadowsocks"))
    monkeypatch.setattr(_drop_in, "CONFIRMED", str(host.unit_dir))
    monkeypatch.setattr(_drop_in, "STEPPED", str(host.run_unit_dir))
    monkeypatch.setattr(_record, "PROGRAM", str(host.program))
    monkeypatch.setattr(_record, "FOLDER", str(host.state_dir))
    monkeypatch.setattr(_record, "RUN_FOLDER", str(host.run_dir))
    monkeypatch.setattr(_files, "read", with_owner)
    monkeypatch.setattr(_access, "folder", folder_with_owner)
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: host.owners.update({os.fstat(fd).st_ino: (uid, gid)}))
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: host.owners.update({os.stat(path).st_ino: (uid, gid)}))
    monkeypatch.setattr(grp, "getgrnam", getgrnam)
    monkeypatch.setattr(subprocess, "run", host.run)
    monkeypatch.setattr(shutil, "which", lambda name, path="": f"/usr/bin/{name}" if host.version else None)
    monkeypatch.setattr(_binary, "knows_fast_open", lambda path: "--fast-open" in host.help)
    monkeypatch.setattr(
        _listeners, "holders", lambda ports, likely=(): [one for one in host.holders if one.port in ports]
    )
    for name, path in (
        ("ADMIN_FILE", host.unit_dir / _packaged.UNIT),
        ("CONFIG", host.packaged_config),
        ("TEMPLATE", tmp_path / "usr/share/shadowsocks-libev/config.json"),
        ("DEFAULTS", host.packaged_defaults),
        ("VENDOR", host.lib_unit_dir),
    ):
        monkeypatch.setattr(_packaged, name, str(path))
    monkeypatch.setattr(_process, "read", host.process)
    monkeypatch.setattr(_process, "listening", host.listening)
    monkeypatch.setattr(_process, "listeners", host.listeners)
    monkeypatch.setattr(_plugin, "refusal", lambda plugin, path: host.no_plugins.get(plugin, ""))
    monkeypatch.setattr(_plugin, "running", host.children)
    monkeypatch.setattr(_attempt, "plain", host.connect)
    monkeypatch.setattr(_path, "probe", host.probe)
    monkeypatch.setattr(_tunnel, "fetch", host.fetch)
    monkeypatch.setattr(_counters, "read", lambda: {"TCPFastOpenActive": host.active_fast_opens})
    for module in (_kernel, _switch, _sysctl_files, _transaction):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if "root" in inspect.signature(function).parameters:
                monkeypatch.setattr(module, name, rooted(function, tmp_path))
    monkeypatch.setattr(
        _proc,
        "read_sysctl",
        lambda name, proc="/proc": read_sysctl(name, str(tmp_path / "proc") if proc == "/proc" else proc),
    )
    tidy = _tidy.tidy
    monkeypatch.setattr(_tidy, "tidy", lambda file=_switch.FILE: tidy(f"{tmp_path}{file}"))
    monkeypatch.setattr(_restart, "START_SECONDS", 0.05)
    monkeypatch.setattr(_restart, "SLOW_START_SECONDS", 0.05)
    monkeypatch.setattr(_restart, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(_restart, "PLUGIN_SECONDS", 0.0)
    host._systemctl("enable", _packaged.UNIT)
    host._systemctl("start", _packaged.UNIT)
    host.done.clear()
    return host


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]):
    """Call a module's main() with arguments and give the JSON that it prints.

    ``services`` are parted from their secrets, as the controller does.
    """

    def run(main, *, check: bool = False, **arguments: Any) -> dict[str, object]:
        if "services" in arguments:
            arguments["services"], arguments["secrets"] = _secrets.part(arguments["services"])
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return run
