# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's settings brought about and back, on files in place of a kernel."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel, _proc, _ss_processes
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError

FILE, SNAPSHOT = "etc/sysctl.d/99-tfo.conf", "var/lib/fastopen/kernel.json"
HEADER = "# TCP Fast Open: written by the Ansible collection fastopen.shadowsocks\n"
UNSET = "-".join(["0" * 8] * 4)
OLD_KEY, NEW_KEY = "0a0b0c0d-00000002-00000003-00000004", "00000001-00000002-00000003-00000004"
VALUES = {
    _proc.FASTOPEN: "1",
    _proc.FASTOPEN_KEY: UNSET,
    _proc.MAX_SYN_BACKLOG: "2048",
    _proc.SYNCOOKIES: "1",
    _proc.BLACKHOLE_TIMEOUT: "0",
    _proc.SOMAXCONN: "4096",
}


class Host:
    """A root folder with a kernel's settings as plain files."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        for name, value in VALUES.items():
            self._path(name).parent.mkdir(parents=True, exist_ok=True)
            self.set(name, value)
        (root / "etc/sysctl.d").mkdir(parents=True)
        (root / "usr/lib/systemd").mkdir(parents=True)
        (root / "usr/lib/systemd/systemd-sysctl").touch()

    def _path(self, name: str) -> pathlib.Path:
        return pathlib.Path(_proc.sysctl_path(name, str(self.root / "proc")))

    def set(self, name: str, value: str) -> None:
        self._path(name).write_text(f"{value}\n")

    def get(self, name: str) -> str:
        return self._path(name).read_text().strip()

    def remove(self, name: str) -> None:
        self._path(name).unlink()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        (self.root / path).write_text(text)
        (self.root / path).chmod(mode)

    def read(self, path: str = FILE) -> str:
        return (self.root / path).read_text()

    def tree(self) -> dict[str, tuple]:
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_uid) for path in files}

    def converge(self, check: bool = False, **wanted: object) -> _kernel.Result:
        unsafe = bool(wanted.pop("allow_unsafe", False))
        return _kernel.converge(wanted, check=check, allow_unsafe=unsafe, root=str(self.root))

    def restore(self, check: bool = False, **options: object) -> _kernel.Result:
        return _kernel.restore(check=check, root=str(self.root), **options)


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(_ss_processes, "find", lambda proc: [])
    return Host(tmp_path)


def test_nothing_wanted_changes_nothing(host: Host) -> None:
    before = host.tree()
    result = host.converge(accept=None, key=None, somaxconn=None)
    assert (result.changed, result.diff, result.snapshot, host.tree()) == (False, [], None, before)


def test_check_tells_what_the_real_run_does(host: Host) -> None:
    before = host.tree()
    wanted = {"accept": True, "syncookies": 2, "key": "1-2-3-4", "max_syn_backlog": 4096}
    planned = host.converge(check=True, **wanted)
    assert host.tree() == before
    assert planned == host.converge(**wanted)
    assert planned.changed and planned.before["value"] == 1
    assert planned.after == {
        **planned.before,
        "value": 3,
        "accept": True,
        "syncookies": 2,
        "key": "set",
        "max_syn_backlog": 4096,
    }


def test_file_snapshot_and_second_run(host: Host) -> None:
    result = host.converge(accept=True, all_listeners=True, somaxconn=8192)
    assert host.read() == HEADER + "net.ipv4.tcp_fastopen = 1027\nnet.core.somaxconn = 8192\n"
    assert (host.root / FILE).stat().st_mode & 0o777 == 0o644
    assert (host.root / SNAPSHOT).stat().st_mode & 0o777 == 0o600
    assert (host.root / SNAPSHOT).parent.stat().st_mode & 0o777 == 0o700
    assert result.snapshot == "/" + SNAPSHOT
    kept = json.loads(host.read(SNAPSHOT))
    assert kept == {"sysctls": {_proc.FASTOPEN: "1", _proc.SOMAXCONN: "4096"}, "files": {"/" + FILE: None}}
    before = host.tree()
    assert not host.converge(accept=True, all_listeners=True, somaxconn=8192).changed
    assert host.tree() == before


@pytest.mark.parametrize("text", ["net/ipv4/tcp_fastopen=0x3", "net.ipv4.tcp_fastopen = 9\nnet.ipv4.tcp_fastopen = 03"])
def test_values_in_the_file_are_compared_as_numbers(host: Host, text: str) -> None:
    host.set(_proc.FASTOPEN, "3")
    host.write(FILE, text)
    assert not host.converge(accept=True).changed
    assert host.converge(accept=False).changed
    assert "net.ipv4.tcp_fastopen = 1\n" in host.read()


@pytest.mark.parametrize("drift", ["run time", "file", "mode"])
def test_drift_is_repaired(host: Host, drift: str) -> None:
    host.converge(accept=True, key="1-2-3-4")
    wanted = host.tree()
    if drift == "run time":
        host.set(_proc.FASTOPEN, "1")
    elif drift == "file":
        host.write(FILE, HEADER, 0o600)
    else:
        (host.root / FILE).chmod(0o644)
    result = host.converge(accept=True, key="1-2-3-4")
    assert result.changed and len(result.diff) == 1
    assert host.tree() == wanted


def test_a_file_of_somebody_else_keeps_its_lines(host: Host) -> None:
    host.write(
        FILE, "# mine\nnet.core.rmem_max=1\n-net.ipv4.tcp_fastopen = 1\nnet/ipv4/tcp_fastopen = 2\nlast=1\n", 0o640
    )
    before = host.tree()
    host.converge(accept=True)
    assert host.read() == "# mine\nnet.core.rmem_max=1\nnet.ipv4.tcp_fastopen = 3\nlast=1\n"
    assert (host.root / FILE).stat().st_mode & 0o777 == 0o640
    host.restore()
    assert host.tree() == before


def test_the_snapshot_keeps_what_is_oldest(host: Host) -> None:
    before = host.tree()
    host.converge(accept=True)
    host.converge(all_listeners=True, somaxconn=8192)
    host.converge(accept=False, all_listeners=False, somaxconn=128)
    assert json.loads(host.read(SNAPSHOT))["sysctls"] == {_proc.FASTOPEN: "1", _proc.SOMAXCONN: "4096"}
    planned = host.restore(check=True)
    assert planned == host.restore()
    assert host.tree() == before
    result = host.restore()
    assert (result.changed, result.diff) == (False, [])


@pytest.mark.parametrize("other", [True, False])
def test_the_snapshots_folder_goes_unless_it_holds_something_else(host: Host, other: bool) -> None:
    host.converge(accept=True)
    if other:
        host.write("var/lib/fastopen/other.json", "{}")
    host.restore()
    assert (host.root / "var/lib/fastopen").exists() is other


def test_settings_that_were_not_ours_are_not_restored(host: Host) -> None:
    host.converge(accept=True)
    host.set(_proc.SOMAXCONN, "512")
    host.restore()
    assert host.get(_proc.SOMAXCONN) == "512"


def test_a_key_comes_back(host: Host) -> None:
    host.set(_proc.FASTOPEN_KEY, OLD_KEY)
    result = host.converge(key="1-2-3-4")
    assert host.get(_proc.FASTOPEN_KEY) == NEW_KEY
    assert host.read() == HEADER + f"net.ipv4.tcp_fastopen_key = {NEW_KEY}\n"
    assert (host.root / FILE).stat().st_mode & 0o777 == 0o600
    assert NEW_KEY not in str(result) and OLD_KEY not in str(result)
    assert "(hidden, new)" in result.diff[0]["after"] and "(hidden, new)" in result.diff[1]["after"]
    assert NEW_KEY not in str(host.restore().diff)
    assert host.get(_proc.FASTOPEN_KEY) == OLD_KEY


def test_an_unset_key_is_not_written_back(host: Host) -> None:
    host.converge(key="1-2-3-4")
    host.restore()
    assert host.get(_proc.FASTOPEN_KEY) == NEW_KEY
    assert not (host.root / FILE).exists()


def test_the_key_line_stays_when_no_key_is_given(host: Host) -> None:
    host.converge(key="1-2-3-4")
    host.converge(accept=True)
    assert f"net.ipv4.tcp_fastopen_key = {NEW_KEY}\n" in host.read()
    assert (host.root / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1-2-3-4", NEW_KEY),
        ("A0B0C0D-2-3-4", OLD_KEY),
        ("1-2-3-4, A0B0C0D-2-3-4", f"{NEW_KEY},{OLD_KEY}"),
        ("ffffffff-0-0-0", "ffffffff-00000000-00000000-00000000"),
    ],
)
def test_key_forms(host: Host, text: str, key: str) -> None:
    host.converge(key=text)
    assert host.get(_proc.FASTOPEN_KEY) == key
    assert not host.converge(key=text).changed


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"key": "1-2-3"}, "four groups"),
        ({"key": "0" * 32}, "four groups"),
        ({"key": "1-2-3-4,"}, "four groups"),
        ({"key": "1-2-3-4,1-2-3-4,1-2-3-4"}, "four groups"),
        ({"key": "123456789-2-3-4"}, "four groups"),
        ({"key": "g-2-3-4"}, "four groups"),
        ({"key": "0-0-0-0"}, "all zeros"),
        ({"key": "1-2-3-4,0-0-0-0"}, "all zeros"),
        ({"syncookies": 3}, "syncookies is 3. Give a number from 0 to 2"),
        ({"somaxconn": 0}, "from 1 to 2147483647"),
        ({"max_syn_backlog": 2**31}, "from 1 to 2147483647"),
        ({"blackhole_timeout_seconds": -1}, "from 0 to 2147483647"),
        ({"all_listeners": True}, "Set accept: true as well"),
        ({"all_listeners": True, "accept": False}, "Set accept: true as well"),
    ],
)
def test_wrong_arguments_change_nothing(host: Host, wanted: dict, message: str) -> None:
    before = host.tree()
    with pytest.raises(KernelError, match=message) as caught:
        host.converge(**wanted)
    assert host.tree() == before
    assert "key" not in wanted or wanted["key"] not in str(caught.value)


def test_the_kill_switch_works_whatever_else_is_set(host: Host) -> None:
    host.set(_proc.FASTOPEN, "1539")
    host.converge(accept=False)
    assert host.get(_proc.FASTOPEN) == "1537"


@pytest.mark.parametrize("name", [_proc.FASTOPEN, _proc.BLACKHOLE_TIMEOUT])
def test_missing_setting(host: Host, name: str) -> None:
    host.remove(name)
    with pytest.raises(KernelError, match=f"shows no {name}"):
        host.converge(accept=True, blackhole_timeout_seconds=0)
    assert not host.converge(syncookies=1, check=True).before.get("unknown")


@pytest.mark.parametrize("check", [True, False])
def test_another_file_wins(host: Host, check: bool) -> None:
    host.write("etc/sysctl.d/99-zz.conf", "net.ipv4.tcp_fastopen = 3\n")
    with pytest.raises(KernelError, match="/etc/sysctl.d/99-zz.conf sets net.ipv4.tcp_fastopen after") as caught:
        host.converge(accept=True, check=check)
    assert caught.value.result.changed
    assert host.get(_proc.FASTOPEN) == ("1" if check else "3")


@pytest.mark.parametrize("file", ["/etc/sysctl.conf", "/etc/sysctl.d/99-tfo"])
def test_file_that_no_boot_reads(host: Host, file: str) -> None:
    with pytest.raises(KernelError, match="is not read at boot"):
        _kernel.converge({"accept": True}, file=file, check=True, root=str(host.root))


def test_file_behind_a_link(host: Host) -> None:
    host.write("etc/sysctl.conf", "# old\n")
    (host.root / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    before = host.tree()
    for file in ("/etc/sysctl.d/99-sysctl.conf", "/etc/sysctl.conf"):
        _kernel.converge({"accept": True}, file=file, check=False, root=str(host.root))
    assert host.read("etc/sysctl.conf") == "# old\nnet.ipv4.tcp_fastopen = 3\n"
    assert (host.root / "etc/sysctl.d/99-sysctl.conf").is_symlink()
    host.restore()
    assert host.tree() == before


@pytest.mark.parametrize("check", [True, False])
def test_processes_that_need_the_bit(host: Host, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    found = [_ss_processes.FastOpenProcess(7, "ss-local", "fast_open is true in /etc/main.json")]
    monkeypatch.setattr(_ss_processes, "find", lambda proc: found)
    before = host.tree()
    with pytest.raises(KernelError, match=r"ss-local \(pid 7\): fast_open is true in /etc/main.json.*force: true"):
        host.converge(send=False, check=check)
    assert host.tree() == before
    assert host.converge(accept=True, check=check).changed
    assert host.converge(send=False, check=check, allow_unsafe=True).after["send"] is False


def test_processes_that_need_the_bit_when_restoring(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.set(_proc.FASTOPEN, "0")
    host.converge(send=True, accept=True)
    found = [_ss_processes.FastOpenProcess(7, "ss-server", "--fast-open in its arguments")]
    monkeypatch.setattr(_ss_processes, "find", lambda proc: found)
    with pytest.raises(KernelError, match="ss-server"):
        host.restore()
    assert host.get(_proc.FASTOPEN) == "3"
    assert host.restore(allow_unsafe=True).after["value"] == 0


@pytest.mark.parametrize("failing", [_proc.FASTOPEN, _proc.SOMAXCONN])
def test_nothing_is_half_done(host: Host, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    host.write(FILE, "# mine\n")
    before = host.tree()
    write = _proc.write_sysctl

    def refuse(name: str, value: str, proc: str) -> None:
        if name == failing:
            raise PermissionError(13, "Permission denied", "/proc/sys/it")
        write(name, value, proc)

    monkeypatch.setattr(_proc, "write_sysctl", refuse)
    with pytest.raises(KernelError, match="/proc/sys/it cannot be written: Permission denied. Nothing was changed"):
        host.converge(accept=True, somaxconn=8192)
    assert host.tree() == before


def test_a_value_that_does_not_stick(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.tree()
    monkeypatch.setattr(_proc, "write_sysctl", lambda name, value, proc: None)
    with pytest.raises(KernelError, match="did not keep the value written to net.ipv4.tcp_fastopen"):
        host.converge(accept=True)
    assert host.tree() == before


def test_a_failed_change_keeps_the_older_snapshot(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.converge(accept=True)
    before = host.tree()
    monkeypatch.setattr(_proc, "write_sysctl", lambda name, value, proc: None)
    with pytest.raises(KernelError):
        host.converge(somaxconn=8192)
    assert host.tree() == before


@pytest.mark.parametrize("text", ["", "[]", '{"sysctls": {}}', '{"sysctls": {}, "files": {"/x": {"content": 1}}}'])
def test_damaged_snapshot(host: Host, text: str) -> None:
    host.converge(accept=True)
    host.write(SNAPSHOT, text)
    for call in (host.restore, host.converge):
        with pytest.raises(KernelError, match="kernel.json is damaged"):
            call()


def test_our_file_without_a_snapshot(host: Host) -> None:
    host.converge(accept=True)
    os.unlink(host.root / SNAPSHOT)
    with pytest.raises(KernelError, match="There is no snapshot"):
        host.restore()
