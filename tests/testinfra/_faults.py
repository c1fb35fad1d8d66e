# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that cannot be worked on: what is wrong with each is real, brought about on the host or on the way to it."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _hosts

OPS_PORT = 2222
OTHER_VIEW = """#!/bin/sh
# What a login sees on a machine without these programs: in a mount namespace of its own.
exec unshare --mount sh -c 'mount --bind /opt/bin /usr/bin && %s exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
"""
OLD_PYTHON = "import collections, sys\nV = collections.namedtuple('V', 'major minor micro releaselevel serial')\nsys.version_info = V(3, 8, 10, 'final', 0)\n"
LATE = """
import os, select, socket, sys, threading, time
host, port, late = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = socket.create_connection((host, port))
def pump(read, write, ended):
    waiting = []  # (when it is due, what)
    source = True
    while source or waiting:
        left = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        if source and select.select([read], [], [], left)[0]:
            data = os.read(read, 65536)
            source = bool(data)
            waiting.append((time.monotonic() + late, data))
        elif waiting:
            time.sleep(max(0, waiting[0][0] - time.monotonic()))
        while waiting and waiting[0][0] <= time.monotonic():
            data = waiting.pop(0)[1]
            while data:
                data = data[os.write(write, data):]
    ended()
threading.Thread(target=pump, args=(0, end.fileno(), lambda: end.shutdown(socket.SHUT_WR)), daemon=True).start()
pump(end.fileno(), 1, lambda: None)
"""
"""A ProxyCommand: HOST PORT SECONDS, by which everything is late in both directions."""
DEAF = ("sh", "-c", "systemctl stop ssh.socket ssh.service; pkill sshd; true")
"""Nobody gets in any more, and who is in is thrown out; the host itself goes on."""


def ops(name: str, password: str) -> dict[str, Any]:
    """A host's only way in is the user ops on port 2222, who needs this password for sudo: the variables for that."""
    key = "mkdir -p ~ops/.ssh && cp /root/.ssh/authorized_keys ~ops/.ssh/ && chown -R ops ~ops/.ssh"
    user = f"id ops 2>/dev/null || useradd -m -s /bin/bash ops; echo ops:{password} | chpasswd && {key}"
    sudo = "command -v sudo || { apt-get update -q && apt-get install -qy sudo; }"
    allowed = "echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops"
    _hosts.host(name).check_output(f"{sudo} && {user} && {allowed}")
    _listens_on(name, OPS_PORT)
    return {
        "ansible_user": "ops",
        "ansible_port": OPS_PORT,
        "ansible_become_method": "ansible.builtin.sudo",
        "ansible_become_password": password,
    }


def without_sudo(name: str, password: str) -> dict[str, Any]:
    """A user whom sudo refuses."""
    told = ops(name, password)
    _hosts.host(name).check_output("rm /etc/sudoers.d/ops")
    return told


def without_systemd(name: str) -> dict[str, Any]:
    """Logins on port 2222 see a host that was not booted with systemd, and has none."""
    return _without(name, "systemctl systemd-run", "mount --bind /opt/empty /run/systemd &&")


def without_apt(name: str) -> dict[str, Any]:
    """Logins on port 2222 see a host that has systemd, and neither apt nor dpkg, nor Shadowsocks."""
    return _without(name, "apt-get dpkg dpkg-query ss-local ss-server")


def _without(name: str, programs: str, more: str = "") -> dict[str, Any]:
    shell = _hosts.host(name)
    shell.check_output(f"mkdir -p /opt/empty && cp -a /usr/bin /opt/bin && cd /opt/bin && rm -f {programs}")
    shell.check_output("printf %%s %s > /opt/view && chmod 0755 /opt/view", OTHER_VIEW % more)
    _listens_on(name, OPS_PORT, "ForceCommand=/opt/view")
    return {"ansible_port": OPS_PORT}


def with_old_python(name: str) -> dict[str, Any]:
    """A Python that says it is 3.8."""
    shell = _hosts.host(name)
    shell.check_output("mkdir -p /opt/old && printf %%s %s > /opt/old/sitecustomize.py", OLD_PYTHON)
    shell.check_output("printf '#!/bin/sh\\nPYTHONPATH=/opt/old exec /usr/bin/python3 \"$@\"' > /opt/old/python3.8")
    shell.check_output("chmod 0755 /opt/old/python3.8")
    return {"ansible_python_interpreter": "/opt/old/python3.8"}


@contextmanager
def old_systemd(name: str) -> Iterator[None]:
    """A systemd that says it is 245."""
    path, shell = "/usr/local/bin/systemctl", _hosts.host(name)
    told = 'test "$2" != --version || exec echo "systemd 245 (245.4-4ubuntu3.24)"'
    shell.check_output(
        f"printf %%s %s > {path} && chmod 0755 {path}", f'#!/bin/sh\n{told}\nexec /usr/bin/systemctl "$@"'
    )
    try:
        yield
    finally:
        shell.check_output(f"rm {path}")


def _listens_on(name: str, port: int, *options: str) -> None:
    more = " ".join(f"-o {option}" for option in options)
    command = (
        f"mkdir -p /run/sshd && exec /usr/sbin/sshd -D -p {port} {more}"  # a stop of ssh.service takes the folder away
    )
    _hosts.host(name).check_output(
        f"systemctl is-active -q fleet-{port} || systemd-run --quiet --collect --property=Restart=always "
        f"--property=RestartSec=1 --unit=fleet-{port} /bin/sh -c '{command}'"
    )


def slow(folder: Path, seconds: float) -> dict[str, Any]:
    """Everything between the controller and a host takes this long for a round trip."""
    path = folder / "late.py"
    path.write_text(LATE, encoding="utf-8")
    return {
        "ansible_ssh_extra_args": f"-o 'ProxyCommand={sys.executable} {path} %h %p {seconds / 2}'",
        "ansible_ssh_timeout": 60,
    }


def inventory(folder: Path, clients: dict[str, Any], servers: dict[str, Any] | None = None) -> tuple[str, ...]:
    """Arguments that add these variables of hosts, and hosts that the fleet's inventory has not, to it."""
    path = folder / "faults.json"
    groups = {"shadowsocks_clients": {"hosts": clients}, "shadowsocks_servers": {"hosts": servers or {}}}
    path.write_text(json.dumps(groups), encoding="utf-8")
    return ("--inventory", str(path))


def ssh(folder: Path, name: str, script: str) -> dict[str, Any]:
    """A host whose connections run through this shell script; $REAL in it is ssh with its arguments."""
    path = folder / f"ssh-{name}"
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"ansible_ssh_executable": str(path)}


@contextmanager
def deaf(*names: str) -> Iterator[Callable[[str], None]]:
    """A function that makes one of these hosts deaf; after the block they are reached again."""
    try:
        yield lambda name: print(_hosts.fleet("exec", name, *DEAF))
    finally:
        for name in names:
            _hosts.fleet("exec", name, "systemctl", "start", "ssh")


@contextmanager
def silent() -> Iterator[Callable[[str], None]]:
    """A function that cuts one of these hosts off: it hears nobody, and nobody is told; after the block they are reached again."""
    rule = ("iptables", "--wait", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
    cut: list[str] = []

    def cut_off(name: str) -> None:
        _hosts.fleet("exec", name, *rule[:2], "-I", *rule[2:])
        cut.append(name)

    try:
        yield cut_off
    finally:
        for name in cut:
            _hosts.fleet("exec", name, *rule[:2], "-D", *rule[2:])
