# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals of rollouts over fleets that exist on paper only, written by the very actions that write them in a run.

What hosts would return is made up, requests by chance with a fixed seed; the plan, the waves, the verdicts and the end are the
collection's own. The clock goes on as a run's would.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
from typing import Any
from unittest import mock

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_end, tfo_plan, tfo_wave
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _written
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal, _process, _waves
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars, Run

STARTED = datetime.datetime(2026, 11, 26, 2, 30, tzinfo=datetime.timezone.utc)
TOLD: dict[str, Any] = {
    "rollout_server_batches": [1, "100%"],
    "rollout_client_waves": ["50%", "100%"],
    "rollout_bake_seconds": 300,
    "rollout_probe_requests": 100,
    "rollout_confidence": 0.95,
    "rollout_max_error_share": 0.05,
    "rollout_max_slowdown_ms": 20,
    "rollout_max_reverted_share": 0.1,
    "rollout_max_unreachable_share": 0.1,
    "rollout_accept_unmanaged": False,
    "rollout_revert": "wave",
    "rollout_textfile_directory": "",
}
AUDITED = {"host": "ss1", "side": "server", "intended": "accept", "actual": "accept", "state": "ok"}
"""A row of an audit, as intended."""
AUDITED_PATH = {"host": "203.0.113.1", "port": 8388, "verdict": "fast_open", "plain_ms": 102.4, "fast_open_ms": 51.26}
COUNTERS = {"TCPFastOpenActive": 0, "TCPFastOpenPassive": 0, "TCPFastOpenCookieReqd": 0, "TCPSynRetrans": 0}


@dataclasses.dataclass
class Network:
    """The path of a client: its server, access network, round trip and the origin's part in ms.

    ``loses``: the share of SYNs with data that get lost, ``before`` the step as well or from the step on only.
    """

    server: str
    name: str = ""
    rtt_ms: float = 50.0
    origin_ms: float = 2.0
    loses: float = 0.0
    before: bool = False
    gone: bool = False


class Killed(Exception):
    """The run, at the event that it was to reach."""


class Rollout:
    """A run over ``servers`` and ``clients`` (each with its Network); ``refused``: hosts that the preflight leaves out."""

    def __init__(self, run: Run, folder: str, servers: list[str], clients: dict[str, Network], **told: Any) -> None:
        self.run, self.clients, self.servers = run, clients, servers
        self.told = {**TOLD, "rollout_report_dir": folder, **told}
        self.canary = list(clients)[:1]
        self.chance = random.Random(7)
        self.clock = STARTED
        self.check_mode = False
        self.last = self.until = ""
        self.hostvars = Hostvars({host: self._host(host) for host in [*servers, *clients]})
        self.journal = ""

    def _host(self, host: str) -> dict[str, Any]:
        side = "server" if host in self.servers else "client"
        instance = SERVER_INSTANCE if side == "server" else {**CLIENT_INSTANCE, "server": self.clients[host].server}
        return {
            "__rollout_door": {"variables": self.told},
            "__rollout_seen": {"results": [self._look(host, side)]},
            f"ss_{side}_instances": [instance],
        }

    def _look(self, host: str, side: str) -> dict[str, Any]:
        path = {"host": "203.0.113.1", "port": 8388, "verdict": "fast_open"}
        paths = [] if side == "server" else [{**path, "server_hosts": [self.clients[host].server]}]
        return {
            "side": side,
            "done": False,
            "differs": [],
            "foreign": [],
            "reasons": [],
            "stage": {"intended": "off", "actual": "off", "state": "plain"},
            "machine": "",
            "uptime_seconds": 36_000,
            "listeners": [],
            "paths": paths,
            "deployed": "yes",
            "step": {"outcome": "planned", "differs": []},
            "fastopen": {
                "sysctl": {"value": 1, "send": True},
                "boot": {"file": None},
                "problems": [],
                "counters": COUNTERS,
                "processes": [],
                "loopback": {"ipv4": "fast_open"},
            },
            "services": [{"unit": "ss-server@main.service", "state": "active", "restarts": 0}],
        }

    def refuse(self, host: str, why: str) -> None:
        """It is deployed otherwise than its inventory says."""
        (look,) = self.hostvars[host]["__rollout_seen"]["results"]
        look["differs"] = [{"what": "config", "name": "/etc/shadowsocks/ss-server@main.json", "why": why}]
        look["deployed"] = "differs"

    def skip(self, host: str, why: str) -> None:
        """It is not eligible."""
        (look,) = self.hostvars[host]["__rollout_seen"]["results"]
        look["step"]["outcome"], look["reasons"] = "skipped", [why]

    def listens(self, host: str, program: str, port: int) -> None:
        """Another program of the host, in listener mode."""
        (look,) = self.hostvars[host]["__rollout_seen"]["results"]
        look["listeners"] = [{"address": "0.0.0.0", "port": port, "program": program, "unit": ""}]

    def through(self, waves: int = 1000, end: bool = True, last: str = "") -> str:
        """The whole run, or so many of its waves, the last of them until an event; the path of its journal, '' where it
        has none."""
        self.last = last
        with (
            mock.patch.object(_journal, "now", self._now),
            mock.patch.object(_process, "who", lambda: "ops@control"),
            mock.patch.object(_written, "lines", lambda journal: []),
        ):
            try:
                self._through(waves, end)
            except Killed:
                pass
        return self.journal

    def _through(self, waves: int, end: bool) -> None:
        every = [*self.servers, *self.clients]
        try:
            plan = self.run(tfo_plan, self._variables(every), hosts=every, run="20261126T023000-00042")
        except AnsibleActionFail:
            return
        self.journal = plan["journal"]
        left = [host for host in every if host not in plan["refused"]]
        for host in left:
            self.hostvars[host]["__rollout_plan"] = plan
        out = {(one["host"], one["side"]) for one in plan["passed"]}
        cut = self._cut(left, out)[:waves]
        for number, (side, kind, batch) in enumerate(cut, 1):
            self.until = self.last if number == len(cut) else ""
            self._wave(side, kind, batch)
        if end:
            for at in ("ending", "ended"):
                ended = self.run(tfo_end, self._variables(left), at=at)
                for host, back in ended.get("revert", {}).items():
                    results = [{"outcome": "plain", "__rollout_back": one} for one in back]
                    self.hostvars[host]["__rollout_taken_back"] = {"results": results}

    def _cut(self, left: list[str], out: set[tuple[str, str]]) -> list[tuple[str, str, list[str]]]:
        servers = [host for host in left if host in self.servers and (host, "server") not in out]
        clients = [host for host in left if host in self.clients and (host, "client") not in out]
        others = [host for host in clients if host not in self.canary]
        return [
            *(("server", "batch", batch) for batch in _waves.cut(servers, self.told["rollout_server_batches"])),
            *(("client", "canary", [host]) for host in self.canary if host in clients),
            *(("client", "wave", wave) for wave in _waves.cut(others, self.told["rollout_client_waves"])),
        ]

    def _wave(self, side: str, kind: str, batch: list[str]) -> None:
        wave = self._at("begin", batch, side, kind)
        if wave["stop"]:
            return
        self._measure(wave, batch)
        wave = self._at("measured", batch, side, kind)
        self._pass(2)
        for host in batch:
            stays = wave["hosts"][host]["outcome"]
            done = {"outcome": "stepped", "reasons": [], "changed": True, "paths": []}
            self.hostvars[host]["__rollout_answer"] = {"ping": "pong"}
            self.hostvars[host]["__rollout_stage"] = {"skipped": True} if stays else done
        wave = self._at("stepped", batch, side, kind)
        seconds = 0.0 if wave["verdict"] else float(self.told["rollout_bake_seconds"])
        self._pass(seconds)
        for host in batch:
            self.hostvars[host]["__rollout_bake"] = {"skipped": True} if wave["verdict"] else {"seconds": seconds}
        for at in ("judged", "judged_again"):
            self._measure(wave, batch)
            wave = self._at(at, batch, side, kind)
        self._pass(3)
        for host in batch:
            skipped = {"skipped": True}
            confirmed = {"outcome": "confirmed", "reasons": []} if host in wave["confirm"] else skipped
            self.hostvars[host]["__rollout_confirmed"] = confirmed
            plain = {"outcome": "plain", "reasons": []} if host in wave["revert"] else skipped
            self.hostvars[host]["__rollout_reverted"] = plain
        self._at("closed", batch, side, kind)

    def _at(self, phase: str, batch: list[str], side: str, kind: str) -> dict[str, Any]:
        variables = {**self._variables(batch), "__rollout_side": side, "__rollout_kind": kind}
        wave: dict[str, Any] = self.run(tfo_wave, variables, at=phase)
        for host in batch:
            self.hostvars[host]["__rollout_wave"] = wave
        if phase == self.until:
            raise Killed
        return wave

    def _variables(self, batch: list[str]) -> dict[str, Any]:
        return {
            "hostvars": self.hostvars,
            "ansible_play_batch": batch,
            "ansible_play_hosts_all": [*self.servers, *self.clients],
            "ansible_forks": 10,
            "groups": {
                "shadowsocks_servers": self.servers,
                "shadowsocks_clients": list(self.clients),
                "canary": self.canary,
            },
        }

    def _measure(self, wave: dict[str, Any], batch: list[str]) -> None:
        """What the tasks of measure.yml would register."""
        asked = [ask["requests"] for asks in wave["ask"].values() for ask in asks]
        self._pass(0.3 * max(asked, default=0))
        for host in batch:
            results = [{**self._tunnel(ask), "__rollout_ask": ask} for ask in wave["ask"].get(host, [])]
            self.hostvars[host]["__rollout_requests"] = {"results": results} if results else {"skipped": True}
            looks = [
                {**self._look(server, "server"), "__rollout_server": server} for server in wave["watch"].get(host, [])
            ]
            self.hostvars[host]["__rollout_servers"] = {"results": looks} if looks else {"skipped": True}
        self.hostvars[batch[0]]["__rollout_proven"] = {"results": []}

    def _tunnel(self, ask: dict[str, Any]) -> dict[str, Any]:
        """What tfo_tunnel would return: requests of each kind that is asked for."""
        network = self.clients[ask["host"]]
        if network.gone and ask["running"]:
            return {"unreachable": True, "msg": "Connection timed out"}
        loses = network.loses if network.before or ask["running"] else 0.0
        arms = {
            arm: self._arm(network, ask["requests"] if arm in ask["arms"] else 0, arm == "fast_open", loses)
            for arm in ("plain", "fast_open")
        }
        return {
            "paths": [{"name": "main", "server": network.server, **arms}],
            **arms,
            "reasons": [],
            "restarts": 0,
            "network": network.name,
            "failed": False,
            "invocation": {"module_args": {"password": MARKER}},
        }

    def _arm(self, network: Network, requests: int, fast: bool, loses: float) -> dict[str, Any]:
        times, connections, lost = [], [], 0
        for _request in range(requests):
            rtt = network.rtt_ms + self.chance.expovariate(2)
            spoiled = fast and self.chance.random() < loses
            lost += spoiled
            trips = 1 if fast and not spoiled else 2
            waits = 1000.0 if spoiled else 0.0
            times.append(round(waits + trips * rtt + network.origin_ms + self.chance.expovariate(0.4), 3))
            connections.append({"syn_data": fast and not spoiled, "lost": int(spoiled), "rtt_ms": round(rtt, 3)})
        counters = {
            "TCPFastOpenActive": requests - lost if fast else 0,
            "TCPFastOpenActiveFail": lost,
            "TCPSynRetrans": lost,
        }
        return {
            "ok": requests,
            "failed": 0,
            "ttfb_ms": times,
            "counters": counters,
            "exits": 0,
            "connections": connections,
        }

    def _now(self) -> str:
        self._pass(0.2)
        return self.clock.isoformat(timespec="milliseconds")

    def _pass(self, seconds: float) -> None:
        self.clock += datetime.timedelta(seconds=seconds)


SERVERS = ["ss1", "ss2"]


def good(run: Run, folder: str) -> str:
    """Two servers and four clients in two networks; all gain a round trip, but for one whose path takes no cookie."""
    clients = {
        f"c{number}": Network(f"ss{1 + number % 2}", f"isp{number % 2}", 40 + 8 * number) for number in range(1, 6)
    }
    rollout = Rollout(run, folder, SERVERS, clients)
    rollout.skip("c5", "no path carries SYN data: no_cookie at 203.0.113.1 port 8388")
    return rollout.through()


def reverted(run: Run, folder: str) -> str:
    """While the last wave bakes, the network of its clients begins to drop SYNs with data."""
    clients = {f"c{number}": Network(f"ss{1 + number % 2}", "isp1") for number in range(1, 4)}
    clients.update({f"c{number}": Network("ss1", "isp2", 65, loses=0.9) for number in (4, 5)})
    return Rollout(run, folder, SERVERS, clients).through()


def refused(run: Run, folder: str) -> str:
    """One server is not deployed as its inventory says; the others go on."""
    rollout = Rollout(run, folder, SERVERS, {"c1": Network("ss1"), "c2": Network("ss1")})
    rollout.refuse("ss2", "is not as wanted")
    return rollout.through()


def everybody_refused(run: Run, folder: str) -> None:
    """Nobody is left; the journal is in the folder."""
    rollout = Rollout(run, folder, ["ss1"], {})
    rollout.refuse("ss1", "is not as wanted")
    rollout.through()


def killed(run: Run, folder: str) -> str:
    """After its second batch."""
    return Rollout(run, folder, SERVERS, {"c1": Network("ss1")}).through(waves=2, end=False)


def killed_in_a_wave(run: Run, folder: str, last: str) -> str:
    """In its second batch; the first is confirmed."""
    return Rollout(run, folder, SERVERS, {"c1": Network("ss1")}).through(waves=2, end=False, last=last)


def unmeasured(run: Run, folder: str) -> str:
    """It was told to measure nothing; a server is in listener mode beside another program."""
    told = {"rollout_probe_requests": 0}
    rollout = Rollout(run, folder, SERVERS, {"c1": Network("ss1"), "c2": Network("ss2")}, **told)
    rollout.listens("ss1", "sshd", 22)
    return rollout.through()


def unbaked(run: Run, folder: str) -> str:
    """It was told to measure at once."""
    return Rollout(run, folder, ["ss1"], {"c1": Network("ss1")}, rollout_bake_seconds=0).through()
