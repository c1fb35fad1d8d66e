# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two network namespaces, a client's and a server's, and what a test does in them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

HERE = pathlib.Path(__file__).parent
PORT = 8388
SERVER = {"ipv4": "192.0.2.2", "ipv6": "fd00:2::2"}
CLIENT = {"ipv4": "192.0.2.1", "ipv6": "fd00:2::1"}
OTHER_CLIENT = {"ipv4": "192.0.2.3", "ipv6": "fd00:2::3"}
EXPERIMENTAL, FAST_OPEN = 254, 34
HEADER = {"ipv4": ("ip", 20), "ipv6": ("ip6", 0)}  # what nft's `length` counts besides TCP


class Namespace:
    """A network namespace with one interface named `wire`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a command in the namespace and return what it prints."""
        command = ("ip", "netns", "exec", self.name, *command)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def sysctl(self, **values: int | str) -> None:
        """Write sysctls of net.ipv4."""
        for name, value in values.items():
            self.run("tee", f"/proc/sys/net/ipv4/{name}", text=f"{value}\n")

    def module(self, name: str, **arguments: object) -> dict:
        """Run a module in the namespace and return its answer."""
        return json.loads(self.run(sys.executable, str(HERE / "run_module.py"), name, json.dumps(arguments)))

    def counters(self) -> dict[str, int]:
        """Return the namespace's counters as nstat reads them."""
        return json.loads(self.run("nstat", "-asjz", "--noupdate"))["kernel"]

    def rules(self, *rules: str, chain: str = "hook prerouting priority -150") -> None:
        """Replace the namespace's nftables rules."""
        table = ["table inet box {", "chain way {", f"type filter {chain};", *rules, "}", "}"] if rules else []
        self.run("nft", "-f", "-", text="\n".join(["flush ruleset", *table, ""]))


class Wire:
    """The two namespaces and what runs in them."""

    def __init__(self, client: Namespace, server: Namespace, stack: contextlib.ExitStack) -> None:
        self.client, self.server, self._stack = client, server, stack

    def listen(self, queue: int = 16, port: int = PORT, backlog: int = 128, address: str = "::") -> None:
        """Start a listener at the server."""
        command = [sys.executable, str(HERE / "listener.py"), str(port), str(queue), str(backlog), address]
        process = self._stack.enter_context(
            subprocess.Popen(["ip", "netns", "exec", self.server.name, *command], stdout=subprocess.PIPE, text=True)
        )
        self._stack.callback(process.terminate)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"

    def probe(self, port: int = PORT, **arguments: object) -> dict[str, dict]:
        """Return tfo_path's entries by address family."""
        targets = [{"host": address, "port": port} for address in SERVER.values()]
        paths = self.client.module("tfo_path", targets=targets, **arguments)["paths"]
        return dict(zip(SERVER, paths))

    def verdicts(self, port: int = PORT) -> dict[str, str]:
        """Return tfo_path's verdicts by address family."""
        return {family: path["verdict"] for family, path in self.probe(port).items()}

    def warm(self) -> None:
        """Give the client the server's cookies."""
        assert set(self.verdicts().values()) == {"fast_open"}


@contextlib.contextmanager
def joined() -> Iterator[Wire]:
    """The two namespaces, joined by a veth pair: both ends up, both bits on, no cookie known, no listener yet. Needs root."""
    client, server = (Namespace(f"fastopen-{end}-{os.getpid()}") for end in ("client", "server"))
    with contextlib.ExitStack() as stack:
        for namespace in (client, server):
            _ip("netns", "add", namespace.name)
            stack.callback(_ip, "netns", "del", namespace.name)
        _ip("-n", client.name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", server.name)
        for namespace, addresses in ((client, CLIENT), (client, OTHER_CLIENT), (server, SERVER)):
            life = "0" if addresses is OTHER_CLIENT else "forever"  # deprecated: only a source when it is asked for
            for address, length in ((addresses["ipv4"], 24), (addresses["ipv6"], 64)):
                command = ("addr", "add", f"{address}/{length}", "dev", "wire", "preferred_lft", life)
                _ip("-n", namespace.name, *command, *(["nodad"] if ":" in address else []))
        for namespace in (client, server):
            for link in ("lo", "wire"):
                _ip("-n", namespace.name, "link", "set", link, "up")
        client.sysctl(tcp_fastopen=1, tcp_fastopen_blackhole_timeout_sec=0)
        server.sysctl(tcp_fastopen=3)
        with contextlib.ExitStack() as processes:
            yield Wire(client, server, processes)


def _ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True)


OUTAGE = """
import socket, sys, time
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
sock.setblocking(False)
sock.sendto(b"x", 0x20000000, (sys.argv[1], 8388))
time.sleep(8)
"""
"""A program that tries a server, which does not answer, for so long that blackhole detection takes notice."""


def syn_with_data(action: str) -> list[str]:
    """Return rules that match a SYN with payload, whatever options it has."""
    return [
        f"tcp flags & (syn|ack) == syn tcp doff {words} {name} length > {extra + 4 * words} {action}"
        for name, extra in HEADER.values()
        for words in range(5, 16)
    ]


def strip(*options: int) -> list[str]:
    """Return rules that take options out of every SYN."""
    return [f"tcp flags & syn == syn reset tcp option {option}" for option in options]
