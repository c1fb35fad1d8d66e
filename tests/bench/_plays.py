# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks over hosts of the fleet, measured."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from _steps import HERE, Cost, Step
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service

FLEET = HERE.parent / "fleet"
sys.path.append(str(FLEET))
from _topology import PROFILES, Host  # noqa: E402  (the fleet's modules are no package)

RECAP = re.compile(r"^\w\d+ +: .* changed=(\d+)", re.MULTILINE)
CONFIG = """\
[defaults]
forks = {forks}
inject_facts_as_vars = false
[connection]
pipelining = true
[ssh_connection]
control_path_dir = {sockets}
"""


class Bench:
    """Some hosts, and how playbooks run over them; `scratch` takes logs, variables, reports and control sockets."""

    def __init__(self, scratch: Path, hosts: Sequence[Host], forks: int, probe_url: str) -> None:
        self.hosts, self.scratch = hosts, scratch / str(len(hosts))
        self.log, self.reports = self.scratch / "log", self.scratch / "reports"
        self.scratch.mkdir()
        (self.scratch / "group_vars").symlink_to(FLEET / "inventory_bench/group_vars")
        units = {
            program: _service.unit_text(program, 65536, f"/usr/bin/{program}") for program in ("ss-server", "ss-local")
        }
        variables = {"bench_units": units, "rollout_probe_url": probe_url, "rollout_report_dir": str(self.reports)}
        (self.scratch / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
        (self.scratch / "hosts.json").write_text(json.dumps(inventory(hosts)), encoding="utf-8")
        (self.scratch / "ansible.cfg").write_text(CONFIG.format(forks=forks, sockets=scratch), encoding="utf-8")

    @property
    def clients(self) -> list[str]:
        """Their names, without the canary's."""
        return [host.name for host in self.hosts[servers(self.hosts) + 1 :]]

    def play(self, playbook: str, *arguments: str, passes: bool = True) -> Cost:
        """Run a playbook that must pass, or must fail, and return what it cost."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own["ANSIBLE_COLLECTIONS_PATH"] = os.environ["ANSIBLE_COLLECTIONS_PATH"]
        own["ANSIBLE_CONFIG"] = f"{self.scratch}/ansible.cfg"
        variables = f"@{self.scratch}/variables.json"
        command = ["ansible-playbook", "-i", f"{self.scratch}/hosts.json", "-e", variables, playbook]
        with self.log.open("w", encoding="utf-8") as log:
            start = time.monotonic()
            process = subprocess.Popen([*command, *arguments], env=own, stdout=log, stderr=subprocess.STDOUT)
            try:
                _pid, status, usage = os.wait4(process.pid, 0)
            except BaseException:  # stopped meanwhile: nothing of it must go on behind
                process.terminate()
                process.wait()
                raise
            wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if (process.returncode == 0) != passes:
            self.stop(f"{playbook} {'failed' if passes else 'did not fail'}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)

    def measure(self, step: Step, *arguments: str) -> Cost:
        """Run a step; stop unless it changed what it had to change."""
        cost = self.play(step.playbook, *step.arguments, *arguments)
        changed = [int(number) for number in RECAP.findall(self.log.read_text(encoding="utf-8"))]
        wanted = len(self.hosts) if "--limit" not in arguments else len(changed)
        if not changed or len(changed) != wanted or any(bool(number) != step.changes for number in changed):
            self.stop(f"{step.label} changed these many things, by host: {changed}")
        print(".", end="", flush=True)
        return cost

    def stop(self, why: str) -> None:
        """Give up, and show the end of what the playbook said."""
        sys.exit("\n".join([*self.log.read_text(encoding="utf-8").splitlines()[-40:], f"bench: {why}; see above"]))


def servers(hosts: Sequence[Host]) -> int:
    """How many of them, the first ones, are servers; the first client is the canary."""
    return len(hosts) // 6


def inventory(hosts: Sequence[Host]) -> dict[str, object]:
    """The inventory of these hosts, addresses written out: a ping play pays for every template in it."""
    entries = {host.name: {"ansible_host": host.address, "data_address": host.address} for host in hosts}
    names, first = list(entries), servers(hosts)
    groups = {
        "shadowsocks_servers": names[:first],
        "shadowsocks_clients": names[first:],
        "canary": names[first : first + 1],
    }
    return {
        "all": {
            "hosts": entries,
            "children": {group: {"hosts": dict.fromkeys(members, {})} for group, members in groups.items()},
        }
    }


class Origin(BaseHTTPRequestHandler):
    """The web server that the clients fetch from through their tunnels."""

    def do_GET(self) -> None:  # the name is http.server's
        """Answer a few bytes."""
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"origin\n")

    def log_message(self, *_arguments: object) -> None:
        """Stay silent: the terminal is the table's."""


@contextmanager
def fleet(profile: str) -> Iterator[tuple[tuple[Host, ...], str, Path]]:
    """A fresh fleet, gone afterwards: its hosts, the URL of a web server on its own bridge, and a folder."""
    command, hosts = str(FLEET / "fleet"), PROFILES[profile].hosts
    gateway = hosts[0].address.rpartition(".")[0] + ".1"
    try:
        subprocess.run([command, "up", "--profile", profile, "--fresh"], check=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch, ThreadingHTTPServer((gateway, 0), Origin) as web:
            threading.Thread(target=web.serve_forever, daemon=True).start()
            yield hosts, f"http://{gateway}:{web.server_port}/", Path(scratch)
            web.shutdown()
    finally:
        subprocess.run([command, "down", "--profile", profile], check=True)
