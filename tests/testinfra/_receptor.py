# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes of receptor: one from which hosts are reached, and one that reaches nothing but the other."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from _hosts import variables
from _runner import environment

CONTROL, EXECUTION, WORK = "control", "execution", "ansible-runner"
NETWORK = ("198.51.100.1", "198.51.100.2")
"""The execution node's and the control node's address (RFC 5737)."""
PORT = 27199
START_SECONDS = 30


class Mesh:
    """Both nodes, while they run."""

    def __init__(self, folder: Path, apart: list[str]) -> None:
        """``apart`` stands before what is to run where the control node does."""
        self.folder, self.apart = folder, apart

    def command(self, *words: str) -> list[str]:
        """`receptorctl` at the control node."""
        return ["receptorctl", "--socket", str(self.folder / CONTROL / "socket"), *words]

    def on_control(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of bash where the control node is."""
        command = [*self.apart, "bash", "-o", "pipefail", "-c", script]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment(), timeout=900)

    def submit(self, private: Path, worker: Path, results: Path, ident: str) -> subprocess.CompletedProcess[str]:
        """A job as AWX sends it: laid out in ``private``, run in ``worker`` on the execution node, events into ``results``."""
        transmit = ["ansible-runner", "transmit", str(private), "--playbook", "rollout.yml", "--ident", ident]
        submit = self.command(*f"work submit {WORK} --node {EXECUTION} --payload - --param".split())
        submit += [f"params=--private-data-dir={worker} --delete"]
        process = ["ansible-runner", "process", str(results), "--ident", ident]
        script = f"""\
            unit=$({shlex.join(transmit)} | {shlex.join(submit)} | sed -n 's/^Unit ID: //p') && test "$unit" || exit 99
            {shlex.join(self.command("work", "results"))} "$unit" | {shlex.join(process)}
            status=${{PIPESTATUS[1]}}
            {shlex.join(self.command("work", "release"))} "$unit" && exit $status"""
        return self.on_control(script)

    def reaches(self, host: str) -> bool:
        """Whether the control node has a way to a host."""
        return self.on_control(f"exec 3<>/dev/tcp/{variables(host)['ansible_host']}/22").returncode == 0


@contextmanager
def _network() -> Iterator[list[str]]:
    """A network namespace with one link, to here; gives what stands before a command that is to run in it."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:
        try:
            place = Path(f"/proc/{holder.pid}/ns/net")
            end = time.monotonic() + START_SECONDS
            while place.readlink() == Path("/proc/self/ns/net").readlink():
                assert time.monotonic() < end
                time.sleep(0.05)
            inside = ["nsenter", f"--net={place}"]
            here, there = NETWORK
            for command in (
                f"ip link add mesh type veth peer name mesh netns {holder.pid}",
                f"ip addr add {here}/30 dev mesh",
                "ip link set mesh up",
                f"{' '.join(inside)} ip addr add {there}/30 dev mesh",
                f"{' '.join(inside)} ip link set mesh up",
                f"{' '.join(inside)} ip link set lo up",
            ):
                subprocess.run(command.split(), check=True)
            yield inside
        finally:
            holder.kill()


@contextmanager
def _node(folder: Path, before: list[str], *config: dict[str, Any]) -> Iterator[None]:
    """A running receptor with its socket in ``folder``."""
    folder.mkdir()
    (folder / "data").mkdir()
    socket = folder / "socket"
    whole = [
        {"node": {"id": folder.name, "datadir": str(folder / "data")}},
        {"log-level": "warning"},
        {"control-service": {"service": "control", "filename": str(socket)}},
        *config,
    ]
    (folder / "receptor.conf").write_text(yaml.safe_dump(whole), encoding="utf-8")
    command = [*before, "receptor", "--config", str(folder / "receptor.conf")]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment()) as process,
    ):
        try:
            end = time.monotonic() + START_SECONDS
            while not socket.exists():
                assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text(encoding="utf-8")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


@contextmanager
def mesh(folder: Path) -> Iterator[Mesh]:
    """Both nodes run, and know each other, inside the block."""
    assert shutil.which(
        "receptor"
    ), "receptor is missing: take it from a release of github.com/ansible/receptor, into the PATH"
    listener = {"tcp-listener": {"bindaddr": NETWORK[0], "port": PORT}}
    work = {"work-command": {"worktype": WORK, "command": WORK, "params": "worker", "allowruntimeparams": True}}
    peer = {"tcp-peer": {"address": f"{NETWORK[0]}:{PORT}"}}
    with ExitStack() as stack:
        apart = stack.enter_context(_network())
        stack.enter_context(_node(folder / EXECUTION, [], listener, work))
        stack.enter_context(_node(folder / CONTROL, apart, peer))
        both = Mesh(folder, apart)
        end = time.monotonic() + START_SECONDS
        ping = both.command("ping", EXECUTION, "--count", "1")
        while subprocess.run(ping, check=False, capture_output=True, env=environment()).returncode != 0:
            assert time.monotonic() < end, (folder / CONTROL / "log").read_text(encoding="utf-8")
            time.sleep(0.5)
        yield both
