# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tfo_sysctl on a kernel's own settings, and tfo_probe on what it left, in a namespace with its own /etc and /var/lib."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import ansible
import pytest

HERE = pathlib.Path(__file__).parent
KEY = "00000001-00000002-00000003-00000004"
FILE = "/etc/sysctl.d/99-tfo.conf"
SNAPSHOT = "/var/lib/fastopen/kernel.json"
RECORD = "/var/lib/fastopen/record.json"
PRIVATE = """
mount --make-rprivate /
mount -t tmpfs -o mode=0755 none /run
for folder in /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d /var/lib; do
    mkdir -p $folder && mount -t tmpfs -o mode=0755 none $folder
done
ip link set lo up
exec sleep infinity
"""


RUN = (sys.executable, str(HERE / "run_module.py"))


class Host:
    """A network and mount namespace."""

    def __init__(self, pid: int) -> None:
        self.enter = ("nsenter", "-t", str(pid), "-n", "-m", "-w")

    def run(self, *command: str, code: int = 0) -> str:
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def module(self, name: str, code: int = 0, start: tuple[str, ...] = RUN, **arguments: object) -> dict:
        return json.loads(self.run(*start, name, json.dumps(arguments), code=code))

    def change(self, check: bool = False, code: int = 0, **arguments: object) -> dict:
        return self.module("tfo_sysctl", code, _ansible_check_mode=check, _ansible_diff=True, **arguments)

    def value(self, name: str) -> str:
        return self.run("cat", f"/proc/sys/net/{name}").strip()

    def mode(self, path: str) -> int:
        return stat.S_IMODE(int(self.run("stat", "-c", "%f", path), 16))

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", 'printf "%s\\n" "$2" > "$1"', "sh", path, text)

    def tree(self) -> str:
        """Everything that must not change: settings, files with mode, owner and content."""
        values = [self.value(name) for name in ("ipv4/tcp_fastopen", "ipv4/tcp_syncookies", "core/somaxconn")]
        listing = self.run("sh", "-c", "find /etc/sysctl.d /var/lib -printf '%p %M %U %G\\n' | sort")
        return f"{values}\n{listing}\n" + self.run("sh", "-c", "cat /etc/sysctl.d/* 2>/dev/null || true")


@pytest.fixture
def host() -> Iterator[Host]:
    process = subprocess.Popen(["unshare", "-n", "-m", "sh", "-c", PRIVATE])
    try:
        while os.readlink(f"/proc/{process.pid}/exe").rpartition("/")[2] != "sleep":
            assert process.poll() is None
        yield Host(process.pid)
    finally:
        process.kill()
        process.wait()


def test_there_and_back(host: Host) -> None:
    before = host.tree()
    wanted = {"accept": True, "somaxconn": 8192, "syncookies": 2}
    planned = host.change(check=True, **wanted)
    assert host.tree() == before
    done = host.change(**wanted)
    assert {**planned, "invocation": None} == {**done, "invocation": None}
    assert done["changed"] and (done["before"]["value"], done["after"]["value"]) == (1, 3)
    assert [host.value(f) for f in ("ipv4/tcp_fastopen", "core/somaxconn", "ipv4/tcp_syncookies")] == ["3", "8192", "2"]
    assert [host.mode(path) for path in (SNAPSHOT, RECORD, os.path.dirname(SNAPSHOT))] == [0o600, 0o600, 0o700]
    assert not host.change(**wanted)["changed"]
    host.change(state="restored", check=True)
    assert host.value("ipv4/tcp_fastopen") == "3"
    assert host.change(state="restored")["changed"]
    assert host.tree() == before
    assert not host.change(state="restored")["changed"]


def test_the_boot_brings_it_back(host: Host) -> None:
    host.change(accept=True, all_listeners=True, blackhole_timeout_seconds=60, max_syn_backlog=4000, key="1-2-3-4")
    for name in ("tcp_fastopen", "tcp_fastopen_blackhole_timeout_sec", "tcp_max_syn_backlog"):
        host.run("tee", f"/proc/sys/net/ipv4/{name}", "/dev/null")  # nothing on stdin: no change
        host.run("sh", "-c", f"echo 7 > /proc/sys/net/ipv4/{name}")
    host.run("sh", "-c", "echo 9-9-9-9 > /proc/sys/net/ipv4/tcp_fastopen_key")
    host.run("/lib/systemd/systemd-sysctl")
    assert host.value("ipv4/tcp_fastopen") == "1027"
    assert host.value("ipv4/tcp_fastopen_blackhole_timeout_sec") == "60"
    assert host.value("ipv4/tcp_max_syn_backlog") == "4000"
    assert host.value("ipv4/tcp_fastopen_key") == KEY


def test_a_file_that_was_there_comes_back_exactly(host: Host) -> None:
    host.write(FILE, "# mine\nnet.core.rmem_max = 212992\nnet.ipv4.tcp_fastopen = 0x1")
    host.run("chmod", "0640", FILE)
    host.run("chown", "1:2", FILE)
    before = host.tree()
    host.change(accept=True, key="1-2-3-4")
    assert "net.core.rmem_max = 212992\nnet.ipv4.tcp_fastopen = 3\n" in host.run("cat", FILE)
    host.change(accept=False)
    assert host.value("ipv4/tcp_fastopen") == "1"
    host.change(state="restored")
    assert host.tree() == before


def test_the_key_is_kept_and_stays_hidden(host: Host) -> None:
    host.run("sh", "-c", "echo 0a0b0c0d-2-3-4 > /proc/sys/net/ipv4/tcp_fastopen_key")
    answer = host.change(key="1-2-3-4")
    assert "00000001" not in json.dumps(answer) and "0a0b0c0d" not in json.dumps(answer)
    assert host.value("ipv4/tcp_fastopen_key") == KEY
    assert not host.change(key="00000001-2-3-4")["changed"]
    assert host.mode(FILE) == 0o600
    assert "net.ipv4.tcp_fastopen =" not in host.run("cat", FILE)
    host.change(state="restored")
    assert host.value("ipv4/tcp_fastopen_key") == "0a0b0c0d-00000002-00000003-00000004"


def test_an_unset_key_is_never_written_back(host: Host) -> None:
    host.change(key="1-2-3-4")
    host.change(state="restored")
    assert host.value("ipv4/tcp_fastopen_key") == KEY


def test_what_others_wrote_since_stays(host: Host) -> None:
    host.change(accept=True, somaxconn=8192, key="1-2-3-4")
    host.run("sh", "-c", f"echo net.core.rmem_max = 212992 >> {FILE}")
    host.change(state="restored")
    assert host.run("cat", FILE).splitlines()[1:] == ["net.core.rmem_max = 212992"]
    assert host.mode(FILE) == 0o644


def test_another_file_wins_at_boot(host: Host) -> None:
    host.write("/etc/sysctl.d/99-zz.conf", "net.ipv4.tcp_fastopen = 1")
    before = host.tree()
    for check in (True, False):
        answer = host.change(accept=True, somaxconn=8192, check=check, code=1)
        assert "/etc/sysctl.d/99-zz.conf sets net.ipv4.tcp_fastopen" in answer["msg"]
    assert host.tree() == before


def test_another_file_gives_it_already(host: Host) -> None:
    """field.md, B5: the boot agrees, so nothing is written."""
    host.write("/etc/sysctl.d/local.conf", "net.ipv4.tcp_fastopen = 3")
    before = host.tree()
    assert host.change(accept=True, send=True)["after"]["value"] == 3
    host.run("test", "-e", FILE, code=1)
    probed = host.module("tfo_probe")["fastopen"]
    assert probed["boot"] == {"value": 3, "file": "/etc/sysctl.d/local.conf", "agrees": True}
    host.change(state="restored")
    assert host.tree() == before


def test_the_boot_can_disagree_later(host: Host) -> None:
    host.change(accept=True)
    host.write("/etc/sysctl.d/99-zz.conf", "net.ipv4.tcp_fastopen = 1")
    probed = host.module("tfo_probe")["fastopen"]
    assert probed["boot"] == {"value": 1, "file": "/etc/sysctl.d/99-zz.conf", "agrees": False}
    assert "boot_disagrees" in [problem["code"] for problem in probed["problems"]]
    host.change(state="restored")
    assert host.value("ipv4/tcp_fastopen") == "1"


def test_a_process_that_needs_the_bit_is_not_cut_off(host: Host) -> None:
    sleep = f"exec -a /usr/bin/ss-local {sys.executable} -c 'import time; time.sleep(60)' --fast-open"
    with subprocess.Popen([*host.enter, "bash", "-c", sleep]) as process:
        try:
            _wait_for_argv(process.pid, "ss-local")
            before = host.tree()
            for check in (True, False):
                answer = host.change(send=False, check=check, code=1)
                assert f"ss-local (pid {process.pid}): --fast-open" in answer["msg"] and "force" in answer["msg"]
            assert host.tree() == before
            assert host.module("tfo_probe")["fastopen"]["processes"][0]["program"] == "ss-local"
            host.change(send=False, force=True)
            assert host.value("ipv4/tcp_fastopen") == "0"
            codes = [problem["code"] for problem in host.module("tfo_probe")["fastopen"]["problems"]]
            assert codes[0] == "send_off"
        finally:
            process.kill()


def test_nothing_is_half_done(host: Host) -> None:
    host.run("mount", "-o", "remount,ro", "/etc/sysctl.d")
    before = host.tree()
    answer = host.change(accept=True, code=1)
    assert "cannot be written" in answer["msg"]
    host.run("rmdir", os.path.dirname(SNAPSHOT))
    assert host.tree() == before


@pytest.fixture(name="as_nobody")
def fixture_as_nobody() -> Iterator[tuple[str, ...]]:
    """What starts a module as nobody, from a copy for everybody: the tools may lie where only root can read them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = pathlib.Path(folder)
        core = pathlib.Path(ansible.__file__).parent
        for package in ("module_utils", "_vendor"):
            shutil.copytree(core / package, copy / "ansible" / package)
        for name in ("__init__.py", "release.py"):
            shutil.copy(core / name, copy / "ansible")
        plugins = pathlib.Path("ansible_collections/fastopen/shadowsocks/plugins")
        for kind in ("modules", "module_utils"):
            shutil.copytree(HERE.parents[1] / "plugins" / kind, copy / plugins / kind)
        shutil.copy(HERE / "run_module.py", copy)
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        yield (*user, "env", f"PYTHONPATH={folder}", "/usr/bin/python3", str(copy / "run_module.py"))


def test_without_root(host: Host, as_nobody: tuple[str, ...]) -> None:
    answer = host.module("tfo_sysctl", code=1, start=as_nobody, accept=True)
    assert "become: true" in answer["msg"]
    assert host.value("ipv4/tcp_fastopen") == "1"
    host.change(accept=True, key="1-2-3-4")
    probed = host.module("tfo_probe", start=as_nobody)["fastopen"]
    assert probed["loopback"] == {"ipv4": "fast_open", "ipv6": "fast_open"}
    assert probed["key"] == "unreadable"
    assert probed["boot"] == {"value": "unreadable", "file": FILE, "agrees": None}
    assert probed["counters"]["TCPFastOpenActive"] == 2


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0, "client_off"), (1, "no_cookie"), (2, "client_off"), (3, "fast_open"), (1026, "client_off")],
)
def test_loopback_tells_the_bits_apart(host: Host, value: int, verdict: str) -> None:
    host.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/tcp_fastopen")
    assert host.module("tfo_probe")["fastopen"]["loopback"] == {"ipv4": verdict, "ipv6": verdict}


def test_the_probe_leaves_a_host_that_accepts_nothing_as_it_is(host: Host) -> None:
    host.module("tfo_probe")
    assert host.value("ipv4/tcp_fastopen_key") == "-".join(["0" * 8] * 4)


def test_loopback_is_down_or_without_ipv6(host: Host) -> None:
    host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6")
    assert host.module("tfo_probe")["fastopen"]["loopback"] == {"ipv4": "no_cookie", "ipv6": "unavailable"}
    host.run("ip", "link", "set", "lo", "down")
    probed = host.module("tfo_probe")["fastopen"]
    assert probed["loopback"]["ipv4"] == "unreachable"
    assert "loopback_unreachable" in [problem["code"] for problem in probed["problems"]]


def test_syn_cookies_always(host: Host) -> None:
    host.change(accept=True, syncookies=2)
    codes = [problem["code"] for problem in host.module("tfo_probe")["fastopen"]["problems"]]
    assert codes[0] == "syncookies_always"


def _wait_for_argv(pid: int, name: str) -> None:
    end = time.monotonic() + 10
    while not pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(name.encode()):
        assert time.monotonic() < end
