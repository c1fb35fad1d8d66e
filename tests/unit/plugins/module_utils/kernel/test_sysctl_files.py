# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file decides at boot. tests/netns compares the rules with systemd-sysctl and procps themselves."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _sysctl_files

KEY = "net.ipv4.tcp_fastopen"
SYSTEMD = {"/usr/lib/systemd/systemd-sysctl": ""}


def write(root: pathlib.Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            file.symlink_to(text[3:])
        else:
            file.write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("files", "value", "winner"),
    [
        ({}, None, None),
        ({"/etc/sysctl.d/a.conf": f"{KEY} = 3"}, "3", "/etc/sysctl.d/a.conf"),
        (
            {"/etc/sysctl.d/a.conf": f"{KEY} = 3", "/usr/lib/sysctl.d/b.conf": f"{KEY} = 1"},
            "1",
            "/usr/lib/sysctl.d/b.conf",
        ),
        ({"/etc/sysctl.d/a.conf": "-> /dev/null", "/run/sysctl.d/a.conf": f"{KEY} = 1"}, None, None),
        (
            {"/etc/sysctl.conf": f"{KEY} = 2", "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"},
            "2",
            "/etc/sysctl.d/99-sysctl.conf",
        ),
        ({"/etc/sysctl.conf": f"{KEY} = 2"}, None, None),
        (
            {"/etc/sysctl.d/a.conf": f"{KEY} = 3", "/etc/sysctl.d/b.conf": "net.ipv4.tcp_fast* = 1"},
            "3",
            "/etc/sysctl.d/a.conf",
        ),
        ({"/etc/sysctl.d/a.conf": f"{KEY} = 3", "/etc/sysctl.d/b.conf": f"{KEY} = 3"}, "3", "/etc/sysctl.d/b.conf"),
        ({"/etc/sysctl.d/a.conf": f"{KEY} = 3\n-{KEY}"}, None, None),
        ({"/etc/sysctl.d/a.conf": "# nothing", "/etc/sysctl.d/folder.conf/x": ""}, None, None),
        ({"/etc/sysctl.d/a.conf": f"{KEY}="}, "", "/etc/sysctl.d/a.conf"),
        (
            {
                "/etc/sysctl.d/a.conf": f"{KEY} = 3",
                "/etc/sysctl.d/b.conf": "-> b.conf",
                "/etc/sysctl.d/c.conf": "-> /nowhere",
                "/etc/sysctl.d/d.conf/x": "",
            },
            "3",
            "/etc/sysctl.d/a.conf",
        ),
        (
            {
                "/etc/sysctl.d/a.conf": f"{KEY} = 3",
                "/etc/systemd/system/systemd-sysctl.service": "-> /dev/null",
            },
            None,
            None,
        ),
    ],
)
def test_boot_value(tmp_path: pathlib.Path, files: dict[str, str], value: str | None, winner: str | None) -> None:
    assert _sysctl_files.boot_value(KEY, write(tmp_path, {**files, **SYSTEMD})) == (value, winner, None)


def test_procps_reads_sysctl_conf_last(tmp_path: pathlib.Path) -> None:
    root = write(tmp_path, {"/etc/sysctl.conf": f"{KEY} = 2", "/etc/sysctl.d/zz.conf": f"{KEY} = 1"})
    assert _sysctl_files.boot_value(KEY, root) == ("2", "/etc/sysctl.conf", None)


@pytest.mark.parametrize(
    ("hidden", "unreadable"), [("b.conf", "/etc/sysctl.d/b.conf"), ("0.conf", None)], ids=["later", "earlier"]
)
def test_unreadable_file_that_could_decide(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, hidden: str, unreadable: str | None
) -> None:
    root = write(tmp_path, {"/etc/sysctl.d/a.conf": f"{KEY} = 3", f"/etc/sysctl.d/{hidden}": "", **SYSTEMD})
    read = _sysctl_files._read

    def refuse(path: str) -> str:
        if path.endswith(hidden):
            raise PermissionError
        return read(path)

    monkeypatch.setattr(_sysctl_files, "_read", refuse)
    assert _sysctl_files.boot_value(KEY, root) == ("3", "/etc/sysctl.d/a.conf", unreadable)


def test_overlay_stands_for_files_that_are_to_come(tmp_path: pathlib.Path) -> None:
    root = write(tmp_path, {"/etc/sysctl.d/a.conf": f"{KEY} = 3", **SYSTEMD})
    overlay = {f"{root}/etc/sysctl.d/b.conf": f"{KEY} = 1", f"{root}/elsewhere/c.conf": f"{KEY} = 9"}
    assert _sysctl_files.boot_value(KEY, root, overlay) == ("1", "/etc/sysctl.d/b.conf", None)
    assert _sysctl_files.boot_value(KEY, root, {f"{root}/etc/sysctl.d/a.conf": ""}) == (None, None, None)


def test_winner_under_another_name(tmp_path: pathlib.Path) -> None:
    files = {"/etc/sysctl.conf": f"{KEY} = 2", "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"}
    root = write(tmp_path, {**files, **SYSTEMD})
    winner = _sysctl_files.boot_value(KEY, root)
    assert _sysctl_files.is_winner(winner, "/etc/sysctl.conf", root)
    assert not _sysctl_files.is_winner(winner, "/etc/sysctl.d/a.conf", root)
    assert not _sysctl_files.is_winner(_sysctl_files.BootValue(None, None), "/etc/sysctl.conf", root)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.tcp_fastopen", "net/ipv4/tcp_fastopen"),
        ("net/ipv4/tcp_fastopen", "net/ipv4/tcp_fastopen"),
        ("net.ipv4.conf.eth0/200.forwarding", "net/ipv4/conf/eth0.200/forwarding"),
        ("net/ipv4/conf/eth0.200/forwarding", "net/ipv4/conf/eth0.200/forwarding"),
        ("single", "single"),
    ],
)
def test_normalise(key: str, path: str) -> None:
    assert _sysctl_files.normalise(key) == path


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("", None),
        ("BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro sysctl.net.ipv4.tcp_fastopen=3 quiet\n", "3"),
        ("sysctl/net/ipv4/tcp_fastopen=3", "3"),
        ("sysctl.net/ipv4.tcp_fastopen=3", "3"),
        ("sysctl.net.ipv4.tcp_fastopen=1 sysctl.net.ipv4.tcp_fastopen=3", "3"),
        ('"sysctl.net.ipv4.tcp_fastopen=3"', "3"),
        ('dyndbg="file x +p ; sysctl.net.ipv4.tcp_fastopen=3" sysctl.net.ipv4.tcp_fastopen="1027"', "1027"),
        ("-- sysctl.net.ipv4.tcp_fastopen=3", None),
        ("net.ipv4.tcp_fastopen=3 sysctlnet.ipv4.tcp_fastopen=3 sysctl.net.ipv4.tcp_fastopen_key=3", None),
        ("sysctl.net.ipv4.tcp_fastopen", None),
    ],
)
def test_command_line_of_the_kernel(tmp_path, arguments, value):
    """It sets what no file sets."""
    write(tmp_path, {**SYSTEMD, "/proc/cmdline": arguments})
    assert _sysctl_files.boot_value(KEY, str(tmp_path)) == (value, None, None)
    write(tmp_path, {"/etc/sysctl.d/a.conf": f"{KEY} = 2"})
    assert _sysctl_files.boot_value(KEY, str(tmp_path))[:2] == ("2", "/etc/sysctl.d/a.conf")
    write(tmp_path, {"/etc/systemd/system/systemd-sysctl.service": "-> /dev/null"})
    assert _sysctl_files.boot_value(KEY, str(tmp_path))[:2] == (value, None)


def test_command_line_in_a_container(tmp_path):
    """It shows the host's, whose network namespace is another one."""
    write(tmp_path, {**SYSTEMD, "/proc/cmdline": f"sysctl.{KEY}=3", "/run/systemd/container": "podman"})
    assert _sysctl_files.boot_value(KEY, str(tmp_path)) == (None, None, None)
