# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the verifying tests reach the fleet: a shell on each host, playbooks as a user runs them, the fleet's own command.

Everything about a host is read over ssh with ordinary tools, never with the collection's modules.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import testinfra
import yaml
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "tests" / "fleet" / "inventory"
FLEET = ROOT / "tests" / "fleet" / "fleet"
SERVERS = ("ss1", "ss2")
CLIENTS = ("c1", "c2", "c3", "c4")
MEMBERS = (*SERVERS, *CLIENTS)
ORIGIN = "http://10.203.2.5/"
PLAY_SECONDS = 600
_SSH = (
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes "
    "-o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)


def journal(path: Path) -> list[dict[str, Any]]:
    """The events of a run; a last line that was cut short when its writer was killed is none."""
    _head, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


class Play(NamedTuple):
    """A finished ansible-playbook: exit status, everything it printed, and the recap as {host: {"changed": 0, …}}."""

    status: int
    output: str
    recap: dict[str, dict[str, int]]

    @property
    def words(self) -> str:
        """The output with line breaks and indentation taken out, so that a message is found however it was wrapped."""
        return " ".join(self.output.split())


@functools.cache
def variables(name: str) -> dict[str, Any]:
    """The inventory's variables of a host."""
    groups = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]
    return next(group["hosts"][name] for group in groups.values() if group["hosts"].get(name))


def server_of(client: str) -> str:
    """Which server the inventory gives to a client (group_vars/shadowsocks_clients.yml)."""
    return "ss1" if client in ("c1", "c3") else "ss2"


def implementation(name: str) -> str:
    """What a host runs, libev or rust, as the inventory has it (group_vars/all.yml)."""
    wanted = os.environ.get("IMPLEMENTATION") or "libev"
    known = {"mixed": "rust" if name in ("ss1", "c1", "c2") else "libev", "forky": "rust"}
    return known.get(wanted, wanted)


def own_inventory(folder: Path) -> Path:
    """A copy of the inventory in that folder, to be changed, and beside it what it asks for the archive of rust."""
    shutil.copytree(INVENTORY, folder / "inventory")
    (folder / "rust.py").symlink_to(FLEET.with_name("rust.py"))
    return folder / "inventory"


@functools.cache
def _connections() -> str:
    """A folder for this process's connections, with a short path: that of a Unix socket has at most 108 bytes (unix(7))."""
    folder = tempfile.mkdtemp(prefix="fleet-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def host(name: str) -> Host:
    """A shell on a host, as root; its connection is kept for the next command of this process, and only for that.

    A later process may find a new machine at the address.
    """
    cache = os.environ.get("FASTOPEN_CACHE") or f"{os.environ['HOME']}/.cache/fastopen.shadowsocks"
    return testinfra.get_host(
        f"ssh://root@{variables(name)['ansible_host']}",
        ssh_identity_file=f"{cache}/fleet/id_ed25519",
        ssh_extra_args=f"{_SSH} -o ControlPath={_connections()}/%C",
        controlpersist=20,
    )


def fleet(*arguments: str) -> str:
    """Run the fleet's command."""
    return subprocess.run([str(FLEET), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def play(playbook: str | Path, *arguments: str, inventory: Path = INVENTORY, **extra: Any) -> Play:
    """Run a playbook (a path, or fastopen.shadowsocks.NAME) over the fleet; other keywords become extra variables."""
    command = ["ansible-playbook", "--inventory", str(inventory), str(playbook), *arguments]
    command += ["--extra-vars", json.dumps(extra)] if extra else []
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAY_SECONDS,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
    )
    print(done.stdout)
    return Play(done.returncode, done.stdout, recap(done.stdout))


def recap(output: str) -> dict[str, dict[str, int]]:
    """The figures below PLAY RECAP."""
    _before, _heading, lines = output.partition("PLAY RECAP")
    found = re.findall(r"^(\S+)\s+: (ok=.*)$", lines, re.MULTILINE)
    return {name: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", figures)} for name, figures in found}
