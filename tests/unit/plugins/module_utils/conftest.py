# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's kernel settings and sysctl files, as plain files below a root folder."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel, _proc, _ss_processes, _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _asked, _record

VALUES = {
    _proc.FASTOPEN: "1",
    _proc.FASTOPEN_KEY: "-".join(["0" * 8] * 4),
    _proc.MAX_SYN_BACKLOG: "2048",
    _proc.SYNCOOKIES: "1",
    _proc.BLACKHOLE_TIMEOUT: "0",
    _proc.SOMAXCONN: "4096",
}


class KernelHost:
    """Paths are below the root; ``file`` is the collection's own. ``busy`` are the processes that need bit 0x1."""

    file = _switch.FILE.lstrip("/")
    snapshot = _kernel.SNAPSHOT.lstrip("/")

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.busy: list[_ss_processes.FastOpenProcess] = []
        for name, value in VALUES.items():
            self._path(name).parent.mkdir(parents=True, exist_ok=True)
            self.set(name, value)
        for folder in ("etc/sysctl.d", "usr/lib/systemd", "usr/lib/sysctl.d"):
            (root / folder).mkdir(parents=True)
        (root / "usr/lib/systemd/systemd-sysctl").touch()

    def _path(self, name: str) -> pathlib.Path:
        return pathlib.Path(_proc.sysctl_path(name, str(self.root / "proc")))

    def set(self, name: str, value: str) -> None:
        self._path(name).write_text(f"{value}\n")

    def get(self, name: str = _proc.FASTOPEN) -> str:
        return self._path(name).read_text().strip()

    def remove(self, name: str) -> None:
        self._path(name).unlink()

    def write(self, path: str, text: t.Union[str, bytes], mode: int = 0o644) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        (self.root / path).chmod(mode)

    def read(self, path: str = file) -> str:
        return (self.root / path).read_text()

    def mode(self, path: str = file) -> int:
        return (self.root / path).stat().st_mode & 0o777

    def tree(self) -> dict[str, tuple[bytes, int, int]]:
        """Every file with content, mode and owner, but for the lock."""
        files = sorted(path for path in self.root.rglob("*") if path.is_file() and path.name != "lock")
        return {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_uid) for path in files}

    def converge(self, check: bool = False, force: bool = False, file: str = _switch.FILE, **wanted: t.Any):
        return self._call(wanted, check, force, file)

    def restore(self, check: bool = False, force: bool = False, file: str = _switch.FILE):
        return self._call(None, check, force, file)

    def _call(self, wanted: _asked.Wanted, check: bool, force: bool, file: str) -> _asked.Result:
        return _asked.converge(
            wanted, file=file, snapshot=_kernel.SNAPSHOT, check=check, force=force, root=str(self.root)
        )


@pytest.fixture
def kernel_host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> KernelHost:
    """A host as it is installed: 0x1 and nothing else, no file that says so."""
    host = KernelHost(tmp_path)
    monkeypatch.setattr(_ss_processes, "find", lambda proc: host.busy)
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path / "var/lib/fastopen"))
    monkeypatch.setattr(_record, "RUN_FOLDER", str(tmp_path / "run/fastopen"))
    return host
