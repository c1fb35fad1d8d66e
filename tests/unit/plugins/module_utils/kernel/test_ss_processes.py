# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that use TCP Fast Open, in a made-up /proc."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_arguments, _ss_processes
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
        ["grep", "ss-server"],
        ["/bin/sh", "-c", "ss-server --fast-open"],
        ["systemctl", "restart", "ss-server"],
        ["sudo", "ss-server", "--fast-open"],
        ["ss-server.json", "--fast-open"],
        ["ss-server", "-v"],  # with any argument there is no default config
        ["ss-manager"],
        ["ssservice", "genkey", "-m", "aes-256-gcm", "--fast-open"],
        ["python3", "-c", "import shadowsocks", "/usr/bin/ssserver", "--fast-open"],
        ["python3", "ansible.py", "ssserver", "--fast-open"],
        ["python3", "-m", "pdb", "ssserver", "--fast-open"],
    ],
)
def test_others(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv)
    assert proc.find() == {}


FOUND = {7: "fast_open is true in /etc/main.json"}
ON = '{"fast_open": true}'


@pytest.mark.parametrize(
    "argv",
    [
        ["ss-server", "-uvc", "/etc/main.json"],
        ["ss-server", "-uvc/etc/main.json"],
        ["ss-server", "-k", "-c", "-c", "/etc/main.json"],
        ["ss-server", "-k", "--", "-c", "/etc/main.json"],
        ["ss-server", "-c", "/nowhere.json", "-c", "/etc/main.json"],
        ["ss-server", "word", "-c", "/etc/main.json", "--", "-c", "/nowhere.json"],
        ["ss-server", "--plugin-opts", "--fast-open", "-c", "/etc/main.json"],
        ["ss-tunnel", "-uL8.8.8.8:53", "-c", "/etc/main.json"],
        ["ss-redir", "-Tvc", "/etc/main.json"],
        ["ss-manager", "-D", "/run", "-c", "/etc/main.json"],
        ["ssservice", "server", "-c", "/etc/main.json"],
        ["ssservice", "local", "-vvc=/etc/main.json"],
        ["ssmanager", "-vUc", "/etc/main.json"],
        ["python3", "/usr/local/bin/ssserver", "-c", "/etc/main.json"],
        ["/usr/bin/python3.11", "-Es", "-Wignore", "-X", "dev", "/usr/bin/sslocal", "-qc", "/etc/main.json"],
        ["python", "-um", "shadowsocks.server", "-d", "start", "-c", "/etc/main.json"],
        ["python2", "/opt/shadowsocks/server.py", "-c", "/etc/main.json"],
    ],
)
def test_command_lines(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv, config=ON)
    assert proc.find() == FOUND


@pytest.mark.parametrize(
    "argv",
    [
        ["ss-server", "-v", "--fast-ope"],
        ["ss-local", "--f"],
        ["ss-server", "word", "--fast-open"],
        ["ssserver", "-v", "--fast-open"],
        ["python3", "-m", "shadowsocks.local", "--fast-o"],
    ],
)
def test_flag_as_it_may_be_written(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv)
    assert proc.find() == {7: "--fast-open in its arguments"}


@pytest.mark.parametrize(
    "argv",
    [
        ["ss-server", "-k", "--fast-open", "-c", "/etc/main.json"],
        ["ss-server", "-c", "/etc/main.json", "--", "--fast-open"],
        ["ss-server", "--password", "--fast-open", "-c", "/etc/main.json"],
        ["sslocal", "--fast-ope", "-c", "/etc/main.json"],  # clap takes no beginnings
        ["python3", "/usr/bin/ssserver", "-c", "/etc/main.json", "word", "--fast-open"],
    ],
)
def test_what_only_looks_like_the_flag(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv, config="{}")
    assert proc.find() == {}


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("-vUc /c.json --fast-open", [("v", ""), ("U", ""), ("c", "/c.json"), ("fast-open", "")]),
        ("--server-addr h:1 --encrypt-method=none", [("server-addr", "h:1"), ("encrypt-method", "none")]),
        (
            "--log-without-time -k=pw --later 1 --acl -v",
            [("log-without-time", ""), ("k", "pw"), ("later", "1"), ("acl", ""), ("v", "")],
        ),
        ("-c x -- --acl y", [("c", "x")]),
    ],
)
def test_options_of_rust(arguments: str, options: list[tuple[str, str]]) -> None:
    """A word behind a long option is its value, known or not: these programs take none of their own."""
    found = _ss_arguments.parse(["ssservice", "server", *arguments.split()])
    assert found is not None and list(found.options) == options
    assert (found.program, found.role) == ("ssservice server", "server")


def test_argument_zero_may_be_any_word(proc: Proc) -> None:
    """`ExecStart=@/usr/bin/ss-server ss`, and a package upgrade since."""
    proc.add(7, "ss", "-c", "/etc/main.json", config=ON)
    (proc.path / "7/exe").symlink_to("/usr/bin/ss-server (deleted)")
    assert proc.find() == FOUND


@pytest.mark.parametrize(
    ("argv", "environment", "config"),
    [
        (["ss-server"], "HOME=/root", "root/etc/shadowsocks-libev/config.json"),
        (["ss-local"], "HOME=/home/a\0X=1", "root/home/a/.config/shadowsocks-libev/config.json"),
        (["ss-redir"], "HOME=/a\0XDG_CONFIG_HOME=/b", "root/b/shadowsocks-libev/config.json"),
        (["ssserver", "-v"], "", "cwd/server.json"),
        (["ssservice", "local"], "", "cwd/config.json"),
        (["sslocal"], "HOME=/a", "root/a/.config/shadowsocks-rust/local.json"),
        (["ssmanager", "-s", "h"], "XDG_CONFIG_DIRS=/a:/b", "root/b/shadowsocks-rust/config.json"),
        (["ssserver"], "", "root/etc/shadowsocks-rust/config.json"),
        (["python3", "/usr/bin/ssserver"], "", "cwd/config.json"),
        (["python3", "/opt/shadowsocks/server.py", "m"], "", "root/opt/shadowsocks/user-config.json"),
    ],
)
def test_default_config(proc: Proc, argv: list[str], environment: str, config: str) -> None:
    proc.add(7, *argv)
    (proc.path / "7/environ").write_text(environment)
    (proc.path / "7/cwd").mkdir()
    file = proc.path / "7" / config
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(ON)
    path = config[len("root") :] if config.startswith("root") else config[len("cwd/") :]
    assert proc.find() == {7: f"fast_open is true in {path}"}
    file.write_text("{}")
    os.utime(file, (STARTED - 60, STARTED - 60))
    assert proc.find() == {}


@pytest.mark.parametrize(
    "argv", [["sslocal", "-s", "h:1"], ["ssserver", "--server-addr=h:1"], ["python3", "/usr/bin/ssserver", "-p", "1"]]
)
def test_server_in_the_arguments_needs_no_config(proc: Proc, argv: list[str]) -> None:
    proc.add(7, *argv)
    assert proc.find() == {}


@pytest.mark.parametrize(
    ("argv", "config", "why"),
    [
        (["ss-server", "-c"], None, "a config without a name cannot be read"),
        (["ss-server", "-c", "/gone.json"], None, "/gone.json cannot be read (No such file or directory)"),
        (["ss-server", "-c", "/etc"], "", "/etc cannot be read (no file, or too large)"),
        (["ss-server"], None, "its environment cannot be read"),
        (["ss-server", "-c", "/etc/main.json"], "", "/etc/main.json is not understood"),
        (["ss-server", "-c", "/etc/main.json"], '{"a": 1', "/etc/main.json is not understood"),
        (["ss-local", "-o", "http_simple"], None, "its option -o is not known here"),
        (["ss-local", "--obfs=secret"], None, "its option --obfs is not known here"),
        (["ss-local", "-vXsecret"], None, "its option -X is not known here"),
    ],
)
def test_what_cannot_be_known_may_use_it(proc: Proc, argv: list[str], config: str | None, why: str) -> None:
    proc.add(7, *argv, config=config)
    assert proc.find()[7].startswith(why)
    assert proc.find()[7].endswith(", so it may use TCP Fast Open")
    assert "secret" not in proc.find()[7]


def test_what_another_user_may_not_read_does_not_count(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> tuple[bytes, float]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_ss_processes, "read", refuse)
    proc.add(7, "ss-server", "-c", "/etc/main.json", config=ON)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert proc.find() == {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert proc.find() == {7: "/etc/main.json cannot be read (Permission denied), so it may use TCP Fast Open"}


@pytest.mark.parametrize(("config", "found"), [(ON, True), ("{}", False)])
def test_hidden_root(proc: Proc, monkeypatch: pytest.MonkeyPatch, config: str, found: bool) -> None:
    """A root without CAP_SYS_PTRACE, as in a container, cannot look through /proc/PID/root: its own files serve."""
    stat = os.stat

    def hidden(path: str, **options: object) -> os.stat_result:
        if str(path).endswith("/7/root"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    own = proc.path / "main.json"
    own.write_text(config)
    os.utime(own, (STARTED - 60, STARTED - 60))
    monkeypatch.setattr(os, "stat", hidden)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    proc.add(7, "ss-server", "-c", str(own))
    assert proc.find() == ({7: f"fast_open is true in {own}"} if found else {})


@pytest.mark.parametrize("target", ["/srv/real.json", "../srv/real.json", "../../../../srv/real.json"])
def test_links_lead_to_the_files_of_the_process(proc: Proc, target: str) -> None:
    proc.add(7, "ss-server", "-c", "/etc/link.json", config="{}")
    (proc.path / "7/root/etc/link.json").symlink_to(target)
    (proc.path / "7/root/srv").mkdir()
    (proc.path / "7/root/srv/real.json").write_text(ON)
    assert proc.find() == {7: "fast_open is true in /etc/link.json"}


def test_links_in_a_circle_and_a_pipe(proc: Proc) -> None:
    proc.add(7, "ss-server", "-c", "/etc/link.json", config="{}")
    (proc.path / "7/root/etc/link.json").symlink_to("link.json")
    os.mkfifo(proc.path / "7/root/etc/pipe")
    assert "symbolic links" in proc.find()[7]
    (proc.path / "7/cmdline").write_bytes(b"ss-server\0-c\0/etc/pipe\0")
    assert "no file" in proc.find()[7]


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
