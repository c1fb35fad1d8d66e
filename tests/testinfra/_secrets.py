# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of every kind, planted before the first run, new ones each time; and who looks for them while and after it runs."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import _hosts
import yaml
from _life import run
from _others_rust import BINARIES, template

SCRIPT = "_secrets_host.py"
WATCHED = ("ss1", "ss2", "c1", "c2")
PLUGIN = "/usr/local/bin/standing-in"
LOGIN = "ada"
# It listens where a plugin of a server does (SIP003), and takes nothing.
_PLUGIN = """#!/usr/bin/python3
import os, socket, time
listening = socket.create_server((os.environ["SS_REMOTE_HOST"], int(os.environ["SS_REMOTE_PORT"])))
time.sleep(10**6)
"""


class Foreign(NamedTuple):
    """Somebody else's unit: what sets it up before it is started, and its config, which its user can read."""

    unit: str
    config: str
    before: str = "systemctl disable --now shadowsocks-libev.service"


def _upstream(kind: str, name: str) -> Foreign:
    """A unit of shadowsocks-rust as upstream has it."""
    unit = f"shadowsocks-rust-{kind}"
    before = BINARIES.format(folder="/usr/bin") + template(unit, f"/usr/bin/ssservice {kind}")
    return Foreign(f"{unit}@{name}.service", f"/etc/shadowsocks-rust/{name}.json", before)


FOREIGN = {
    "libev": {
        "server": Foreign("shadowsocks-libev.service", "/etc/shadowsocks-libev/config.json"),
        "client": Foreign("shadowsocks-libev-local@tun.service", "/etc/shadowsocks-libev/tun.json"),
    },
    "rust": {"server": _upstream("server", "office"), "client": _upstream("local", "tun")},
}
USERS = "2022-blake3-aes-128-gcm"
"""A cipher of rust alone, for servers of several users."""


def drawn() -> dict[str, str]:
    """One secret of each kind. The cookie key has the kernel's form, the keys of several users are 16 bytes in base64."""
    kinds = ("server key", "plugin option", "login password", "root password", "foreign key", "notify token")
    found = {kind: f"{kind.replace(' ', '-')}-{secrets.token_hex(8)}" for kind in kinds}
    found |= {kind: base64.b64encode(secrets.token_bytes(16)).decode() for kind in ("key of 2022", "user's key")}
    return {**found, "cookie key": "-".join(secrets.token_hex(4) for _group in range(4))}


def forms(secret: str) -> list[str]:
    """A secret as it is, and as it is inside of base64, wherever in the encoded text it begins."""
    found = [secret]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        found.append(text[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6])
    return found


class Planted:
    """The secrets, and the inventory in which they stand; ``folder`` gets all that the runs keep on the controller."""

    def __init__(self, folder: Path) -> None:
        self.values = drawn()
        self.wanted = {kind: forms(value) for kind, value in self.values.items()}
        self.kept, self.inventory = folder / "kept", _hosts.own_inventory(folder)
        self.kept.mkdir()
        self.configs: dict[str, list[str]] = {}
        """Ours, by host."""
        self.since = time.time()
        self.mark = f"mark-{secrets.token_hex(4)}"

    def write_inventory(self) -> None:
        """ss1 and c1 are deployed by us, ss2 and c2 adopted. c1 is reached as a user with two passwords."""
        for group in ("servers", "clients"):
            (self.inventory / "group_vars" / f"shadowsocks_{group}.yml").unlink()
        path = self.inventory / "group_vars" / "all.yml"
        path.write_text(
            path.read_text(encoding="utf-8") + f"rollout_report_dir: {self.kept}/reports\n", encoding="utf-8"
        )
        self._deployed()
        self._host("ss1", tcp_fastopen_key=self.values["cookie key"])
        self._host("ss2", ss_server_instances=[{"name": "office", "unit": _foreign("ss2", "server").unit}])
        self._host("c1", ansible_user=LOGIN, ansible_ssh_private_key_file="/dev/null")
        self._host("c1", ansible_password=self.values["login password"], ansible_become_method="su")
        self._host("c1", ansible_become_password=self.values["root password"])
        self._host("c2", ss_client_instances=[{"name": "tun", "unit": _foreign("c2", "client").unit, "server": "ss2"}])

    def _deployed(self) -> None:
        """The instances of ss1 and c1: with rust also a server of users, and a client that is one of them."""
        address = _hosts.variables("ss1")["data_address"]
        both = {"address": address, "method": "aes-256-gcm", "password": self.values["server key"]}
        options = f"mode=http;token={self.values['plugin option']}"
        servers: list[dict[str, Any]] = [
            {"name": "main", "port": 8388, **both},
            {"name": "plugged", "port": 8390, "plugin": PLUGIN, "plugin_opts": options, **both},
        ]
        clients = [{"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1080}]
        if _hosts.implementation("ss1") == "rust":
            users = [{"name": "ann", "password": self.values["user's key"]}]
            keys = {"method": USERS, "password": self.values["key of 2022"], "users": users}
            servers.append({"name": "users", "port": 8391, "address": address, **keys})
            clients.append({**clients[0], "name": "ann", "server_instance": "users", "user": "ann", "local_port": 1081})
        self._host("ss1", ss_server_instances=servers)
        self._host("c1", ss_client_instances=clients)
        self.configs["ss1"] = [f"ss-server-{one['name']}" for one in servers]
        self.configs["c1"] = [f"ss-local-{one['name']}" for one in clients]

    def _host(self, name: str, **variables: Any) -> None:
        path = self.inventory / "host_vars" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            yaml.safe_dump(variables, stream)

    def prepare_hosts(self) -> None:
        """What their operators did before."""
        run("ss1", f"cat > {PLUGIN} && chmod 0755 {PLUGIN}", _PLUGIN.encode())
        both = {"server_port": 8388, "password": self.values["foreign key"], "method": "aes-256-gcm"}
        _bring_up("ss2", "server", {"server": "0.0.0.0", **both})
        local = {"local_address": "127.0.0.1", "local_port": 1080}
        _bring_up("c2", "client", {"server": _hosts.variables("ss2")["data_address"], **local, **both})
        words = f"{LOGIN}:{self.values['login password']}\nroot:{self.values['root password']}\n"
        run("c1", f"useradd --create-home --shell /bin/bash {LOGIN} && chpasswd", words.encode())
        allowed = f"Match User {LOGIN}\nPasswordAuthentication yes\n"
        run("c1", "cat > /etc/ssh/sshd_config.d/zz-passwords.conf && systemctl reload ssh", allowed.encode())
        for name in WATCHED:
            run(name, f"cat > /root/{SCRIPT}", (Path(__file__).parent / SCRIPT).read_bytes())
        self.since = float(run("ss1", "date +%s")) + 1
        time.sleep(1.5)

    def environment(self) -> dict[str, str]:
        """Ansible keeps everything that it can keep, below ``kept``."""
        return {
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.kept / "facts"),
            "ANSIBLE_LOG_PATH": str(self.kept / "ansible.log"),
            "ANSIBLE_LOCAL_TEMP": str(self.kept / "tmp"),
            "ANSIBLE_RETRY_FILES_ENABLED": "1",
            "ANSIBLE_RETRY_FILES_SAVE_PATH": str(self.kept),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "TMPDIR": str(self.kept),
        }

    def in_text(self, text: str) -> list[str]:
        """Lines that tell a secret, with its kind in place of it."""
        found = []
        for line in text.splitlines():
            for kind, texts in self.wanted.items():
                for one in texts:
                    if one in line:
                        at = line.index(one)
                        found.append(
                            f"{kind}: …{line[max(0, at - 150):at]}<HERE>{line[at + len(one):at + len(one) + 50]}…"
                        )
        return found

    def in_files(self, name: str) -> list[dict[str, str]]:
        """Files of a host that were changed since the start and hold a secret, and its journal."""
        command = f"python3 /root/{SCRIPT} files {self.since} /"
        return [json.loads(line) for line in run(name, command, json.dumps(self.wanted).encode()).splitlines()]

    def on_controller(self) -> list[dict[str, str]]:
        """What the runs kept here, and shared memory."""
        command = [sys.executable, str(Path(__file__).parent / SCRIPT), "files", "0", str(self.kept), "/dev/shm"]
        done = subprocess.run(command, input=json.dumps(self.wanted), stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def begin(self) -> subprocess.Popen[str]:
        """Watch everybody's processes from now on, here and on the hosts, until `end`.

        The hosts' are looked at from here: their root has no CAP_SYS_PTRACE, without which nobody sees another user's
        environment.
        """
        wanted = json.dumps(self.wanted)
        command = [
            sys.executable,
            str(Path(__file__).parent / SCRIPT),
            "watch",
            str(self.kept.parent / "watched"),
            self.mark,
        ]
        here = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        assert here.stdin is not None
        here.stdin.write(wanted)
        here.stdin.close()
        unit = "systemd-run --quiet --collect"
        for name in WATCHED:
            spying = f"{unit} --unit=spy --uid=nobody -p StandardOutput=truncate:/root/spied"
            run(name, f"cp /root/{SCRIPT} /var/tmp; {spying} python3 /var/tmp/{SCRIPT} spy {self.mark}")
        return here

    def end(self, here: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
        """What processes had a secret, and by host what nobody could read."""
        here.kill()
        here.wait()
        seen, spied = told((self.kept.parent / "watched").read_text(encoding="utf-8")), {}
        for name in WATCHED:
            run(name, "systemctl stop spy")
            spied[name] = told(run(name, "cat /root/spied"))
        return seen, spied


def _foreign(name: str, side: str) -> Foreign:
    """What that host's operator runs."""
    return FOREIGN[_hosts.implementation(name)][side]


def _bring_up(name: str, side: str, config: dict[str, Any]) -> None:
    """As its operator did before."""
    one = _foreign(name, side)
    run(name, one.before)
    run(name, f"cat > {one.config} && systemctl enable --now {one.unit}", json.dumps(config).encode())


def told(text: str) -> list[dict[str, Any]]:
    """The JSON lines of a watch or a spy."""
    return [json.loads(line) for line in text.splitlines()]
