# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's settings beside the bits, brought about and back, on files in place of a kernel."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _lines, _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError

HEADER = f"{_lines.HEADER}\n"
UNSET = "-".join(["0" * 8] * 4)
LATER = "etc/sysctl.d/zz.conf"


def test_nothing_wanted_changes_nothing(kernel_host) -> None:
    before = kernel_host.tree()
    result = kernel_host.converge(accept=None, key=None, somaxconn=None)
    assert (result.changed, result.diff, result.snapshot, kernel_host.tree()) == (False, [], None, before)


def test_check_tells_what_the_real_run_does(kernel_host) -> None:
    before = kernel_host.tree()
    wanted = {"accept": True, "syncookies": 2, "key": "1-2-3-4", "max_syn_backlog": 4096}
    planned = kernel_host.converge(check=True, **wanted)
    assert kernel_host.tree() == before and not (kernel_host.root / "run").exists()
    assert planned == kernel_host.converge(**wanted)
    assert planned.changed and planned.before["value"] == 1
    assert planned.after == {
        **planned.before,
        "value": 3,
        "accept": True,
        "syncookies": 2,
        "key": "set",
        "max_syn_backlog": 4096,
    }


def test_file_snapshot_and_second_run(kernel_host) -> None:
    result = kernel_host.converge(syncookies=2, somaxconn=8192)
    assert kernel_host.read() == HEADER + "net.ipv4.tcp_syncookies = 2\nnet.core.somaxconn = 8192\n"
    assert kernel_host.mode() == 0o644
    assert kernel_host.mode(kernel_host.snapshot) == 0o600
    assert kernel_host.mode(os.path.dirname(kernel_host.snapshot)) == 0o700
    assert result.snapshot == "/" + kernel_host.snapshot
    assert json.loads(kernel_host.read(kernel_host.snapshot)) == {
        "sysctls": {_proc.SYNCOOKIES: "1", _proc.SOMAXCONN: "4096"},
        "files": {
            "/"
            + kernel_host.file: {
                "lines": {_proc.SYNCOOKIES: [], _proc.SOMAXCONN: []},
                "mode": None,
                "ours": {_proc.SYNCOOKIES: "2", _proc.SOMAXCONN: "8192"},
            }
        },
        "ours": {_proc.SYNCOOKIES: "2", _proc.SOMAXCONN: "8192"},
    }
    before = kernel_host.tree()
    assert not kernel_host.converge(syncookies=2, somaxconn=8192).changed
    assert kernel_host.tree() == before


@pytest.mark.parametrize(
    "text",
    ["net/core/somaxconn=0x2000", "net.core.somaxconn = 9\n-net.core.somaxconn = 020000", "net.core.*con* = 8192"],
)
@pytest.mark.parametrize("path", ["etc/sysctl.d/99-tfo.conf", "etc/sysctl.d/10-mine.conf", LATER])
def test_a_boot_that_gives_the_value_already_needs_no_line(kernel_host, text: str, path: str) -> None:
    kernel_host.set(_proc.SOMAXCONN, "8192")
    kernel_host.write(path, text)
    before = kernel_host.tree()
    assert not kernel_host.converge(somaxconn=8192).changed
    assert kernel_host.tree() == before


@pytest.mark.parametrize("drift", ["run time", "file", "mode"])
def test_drift_is_repaired(kernel_host, drift: str) -> None:
    kernel_host.converge(somaxconn=8192, key="1-2-3-4")
    wanted = kernel_host.tree()
    if drift == "run time":
        kernel_host.set(_proc.SOMAXCONN, "1")
    elif drift == "file":
        kernel_host.write(kernel_host.file, HEADER, 0o600)
    else:
        (kernel_host.root / kernel_host.file).chmod(0o644)
    result = kernel_host.converge(somaxconn=8192, key="1-2-3-4")
    assert result.changed and len(result.diff) == 1
    assert kernel_host.tree() == wanted


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("# mine\nnet.core.rmem_max=1\n-net.core.somaxconn = 1\nnet/core/somaxconn = 2\nlast=1\n", 0o640),
        ("net.core.rmem_max=1", 0o644),
        (b"# \xff\nnet.ipv4.tcp_fastopen_key = 5-6-7-8", 0o644),
        ("", 0o600),
    ],
)
def test_a_file_of_somebody_else_comes_back_exactly(kernel_host, text, mode: int) -> None:
    kernel_host.write(kernel_host.file, text, mode)
    before = kernel_host.tree()
    kernel_host.converge(somaxconn=8192, accept=True, key="1-2-3-4")
    assert b"net.core.somaxconn = 8192\n" in (kernel_host.root / kernel_host.file).read_bytes()
    kernel_host.restore()
    kernel_host.set(_proc.FASTOPEN_KEY, UNSET)  # what the kernel cannot forget before a reboot
    assert kernel_host.tree() == before


def test_what_others_wrote_since_stays(kernel_host) -> None:
    """The line of a rollout, an operator's, and a comment: only ours go back."""
    kernel_host.converge(somaxconn=8192, key="1-2-3-4")
    theirs = "# a note\nnet.ipv4.tcp_fastopen = 3\nnet.core.rmem_max = 1\n"
    kernel_host.write(kernel_host.file, kernel_host.read() + theirs, 0o600)
    kernel_host.restore()
    assert kernel_host.read() == HEADER + theirs
    assert kernel_host.mode() == 0o644


@pytest.mark.parametrize(
    ("theirs", "left"),
    [
        ("net.core.somaxconn = 9000", "net.core.somaxconn = 9000\n"),
        ("# mine\n-net/core/somaxconn = 9000 ; why", "# mine\n-net/core/somaxconn = 9000 ; why\n"),
        ("net.core.somaxconn = 8192\nnet.core.somaxconn = 9000", "net.core.somaxconn = 9000\n"),
        ("# not here", "# not here\n"),
        ("net/core/somaxconn=0x2000", "net.core.somaxconn = 512\n"),
    ],
)
def test_a_line_that_somebody_changed_is_theirs(kernel_host, theirs: str, left: str) -> None:
    kernel_host.write(kernel_host.file, "net.core.somaxconn = 512\n")
    kernel_host.converge(somaxconn=8192, syncookies=2)
    kernel_host.write(kernel_host.file, kernel_host.read().replace("net.core.somaxconn = 8192", theirs))
    planned = kernel_host.restore(check=True)
    assert planned == kernel_host.restore()
    assert (kernel_host.read(), kernel_host.get(_proc.SOMAXCONN)) == (left, "4096")
    assert not kernel_host.restore().changed


def test_a_value_that_somebody_changed_is_theirs(kernel_host) -> None:
    kernel_host.converge(somaxconn=8192, syncookies=2)
    kernel_host.set(_proc.SOMAXCONN, "9000")
    result = kernel_host.restore()
    assert (kernel_host.get(_proc.SOMAXCONN), kernel_host.get(_proc.SYNCOOKIES)) == ("9000", "1")
    assert (result.after["somaxconn"], result.after["syncookies"]) == (9000, 1)


def test_a_file_that_somebody_removed_stays_away(kernel_host) -> None:
    kernel_host.write(kernel_host.file, "net.core.somaxconn = 512\n")
    kernel_host.converge(somaxconn=8192)
    (kernel_host.root / kernel_host.file).unlink()
    kernel_host.restore()
    assert not (kernel_host.root / kernel_host.file).exists()


def test_the_snapshot_keeps_what_is_oldest(kernel_host) -> None:
    kernel_host.write(kernel_host.file, "net.core.somaxconn = 512\n")
    before = kernel_host.tree()
    kernel_host.converge(somaxconn=1024)
    kernel_host.converge(somaxconn=8192, syncookies=2)
    kernel_host.converge(somaxconn=128, syncookies=0)
    kept = json.loads(kernel_host.read(kernel_host.snapshot))
    assert kept["sysctls"] == {_proc.SYNCOOKIES: "1", _proc.SOMAXCONN: "4096"}
    assert kept["files"]["/" + kernel_host.file]["lines"][_proc.SOMAXCONN] == ["net.core.somaxconn = 512"]
    planned = kernel_host.restore(check=True)
    assert planned == kernel_host.restore()
    assert planned.changed and kernel_host.tree() == before
    result = kernel_host.restore()
    assert (result.changed, result.diff) == (False, [])


def test_a_key_of_ours_is_kept_in_one_place(kernel_host) -> None:
    """The snapshot knows it again all the same, however it is written."""
    before, key = kernel_host.tree(), "0000abcd-00000002-00000003-00000004"
    kernel_host.converge(key=key)
    assert key not in kernel_host.read(kernel_host.snapshot)
    kernel_host.write(kernel_host.file, kernel_host.read().replace(key, "ABCD-2-3-4"), 0o600)
    kernel_host.restore()
    kernel_host.set(_proc.FASTOPEN_KEY, UNSET)  # what the kernel cannot forget before a reboot
    assert kernel_host.tree() == before


def test_lines_in_two_files(kernel_host) -> None:
    before = kernel_host.tree()
    kernel_host.converge(somaxconn=1024)
    kernel_host.converge(somaxconn=8192, file="/" + LATER)
    kernel_host.restore()
    assert kernel_host.tree() == before


@pytest.mark.parametrize("other", [True, False])
def test_the_snapshots_folder_goes_unless_it_holds_something_else(kernel_host, other: bool) -> None:
    kernel_host.converge(somaxconn=8192)
    if other:
        kernel_host.write("var/lib/fastopen/other.json", "{}")
    kernel_host.restore()
    assert (kernel_host.root / "var/lib/fastopen").exists() is other


def test_settings_that_were_not_ours_are_not_restored(kernel_host) -> None:
    kernel_host.converge(syncookies=2)
    kernel_host.set(_proc.SOMAXCONN, "512")
    kernel_host.restore()
    assert kernel_host.get(_proc.SOMAXCONN) == "512"


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
    ],
)
def test_wrong_arguments_change_nothing(kernel_host, wanted: dict, message: str) -> None:
    before = kernel_host.tree()
    with pytest.raises(KernelError, match=message) as caught:
        kernel_host.converge(**wanted)
    assert kernel_host.tree() == before
    assert "key" not in wanted or wanted["key"] not in str(caught.value)


def test_missing_setting(kernel_host) -> None:
    kernel_host.remove(_proc.BLACKHOLE_TIMEOUT)
    with pytest.raises(KernelError, match=f"shows no {_proc.BLACKHOLE_TIMEOUT}"):
        kernel_host.converge(accept=True, blackhole_timeout_seconds=0)
    assert "blackhole_timeout_seconds" not in kernel_host.converge(syncookies=1, check=True).before


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("wanted", "theirs"),
    [({"somaxconn": 8192}, "net.core.somaxconn = 128"), ({"key": "1-2-3-4"}, "net.ipv4.tcp_fastopen_key = 5-6-7-8")],
)
def test_another_file_wins(kernel_host, check: bool, wanted: dict, theirs: str) -> None:
    kernel_host.write(LATER, theirs)
    before = kernel_host.tree()
    with pytest.raises(KernelError, match=r"/etc/sysctl.d/zz.conf sets net.* after /etc/sysctl.d/99-tfo.conf and wins"):
        kernel_host.converge(accept=True, check=check, **wanted)
    assert kernel_host.tree() == before


@pytest.mark.parametrize("file", ["/etc/sysctl.conf", "/etc/sysctl.d/99-tfo"])
def test_file_that_no_boot_reads(kernel_host, file: str) -> None:
    with pytest.raises(KernelError, match="is not read at boot"):
        kernel_host.converge(somaxconn=8192, file=file, check=True)


def test_file_behind_a_link(kernel_host) -> None:
    kernel_host.write("etc/sysctl.conf", "# old\n")
    (kernel_host.root / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    before = kernel_host.tree()
    for file in ("/etc/sysctl.d/99-sysctl.conf", "/etc/sysctl.conf"):
        kernel_host.converge(somaxconn=8192, file=file)
    assert kernel_host.read("etc/sysctl.conf") == "# old\nnet.core.somaxconn = 8192\n"
    assert (kernel_host.root / "etc/sysctl.d/99-sysctl.conf").is_symlink()
    kernel_host.restore()
    assert kernel_host.tree() == before


@pytest.mark.parametrize("failing", [_proc.FASTOPEN, _proc.SOMAXCONN])
def test_nothing_is_half_done(kernel_host, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    kernel_host.write(kernel_host.file, "# mine\n")
    before = kernel_host.tree()
    write = _proc.write_sysctl

    def refuse(name: str, value: str, proc: str) -> None:
        if name == failing:
            raise PermissionError(13, "Permission denied", "/proc/sys/it")
        write(name, value, proc)

    monkeypatch.setattr(_proc, "write_sysctl", refuse)
    with pytest.raises(KernelError, match="/proc/sys/it cannot be written: Permission denied. Nothing was changed"):
        kernel_host.converge(accept=True, somaxconn=8192)
    assert kernel_host.tree() == before


@pytest.mark.parametrize(
    ("wanted", "name"), [({"accept": True}, "net.ipv4.tcp_fastopen"), ({"somaxconn": 1}, "net.core")]
)
def test_a_value_that_does_not_stick(kernel_host, monkeypatch: pytest.MonkeyPatch, wanted: dict, name: str) -> None:
    kernel_host.converge(syncookies=2)
    before = kernel_host.tree()
    monkeypatch.setattr(_proc, "write_sysctl", lambda name, value, proc: None)
    with pytest.raises(KernelError, match=f"did not keep the value written to {name}"):
        kernel_host.converge(**wanted)
    assert kernel_host.tree() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"sysctls": {}}',
        '{"sysctls": {}, "files": {"/x": {"content": 1}}}',
        '{"sysctls": {}, "files": {"/x": null}}',
    ],
)
def test_damaged_snapshot(kernel_host, text: str) -> None:
    kernel_host.converge(somaxconn=8192)
    kernel_host.write(kernel_host.snapshot, text)
    before = kernel_host.tree()
    for call in (kernel_host.restore, kernel_host.converge):
        with pytest.raises(KernelError, match="kernel.json is damaged"):
            call()
    assert kernel_host.tree() == before


def test_our_file_without_a_snapshot(kernel_host) -> None:
    kernel_host.converge(somaxconn=8192)
    os.unlink(kernel_host.root / kernel_host.snapshot)
    with pytest.raises(KernelError, match="There is no snapshot"):
        kernel_host.restore()
    kernel_host.write(kernel_host.file, HEADER + "net.ipv4.tcp_fastopen = 3\n")
    assert not kernel_host.restore().changed  # a rollout's alone
