# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host under TFO, for those who try what may happen to it: c3 (systemd 252) and c4 (257), see life.yml."""

from __future__ import annotations

import functools
import io
import json
import os
import shlex
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import _hosts
from _life_seen import DROP_IN, UNITS

HOSTS = ("c3", "c4")
FOLDER = "/root/life"
PROGRAM = "/usr/local/lib/fastopen/fastopen"
LEASE = "/run/fastopen/lease.json"
RECORD = "/var/lib/fastopen/record.json"
LINES = "/etc/sysctl.d/99-tfo.conf"
SERVER, CLIENT = UNITS["server"], UNITS["client"]
ON = {"server": 3, "client": 1}
COMPARED = ("files", "value", "boot", "argv", "units")


class Programs(NamedTuple):
    """An implementation's, and how they are told where a server listens, and whom a client asks from which port."""

    server: str
    client: str
    listens: str
    asks: str


PROGRAMS = {
    "libev": Programs("/usr/bin/ss-server", "/usr/bin/ss-local", "-s {} -p {}", "-s {} -p {} -l {}"),
    "rust": Programs("/usr/local/bin/ssserver", "/usr/local/bin/sslocal", "-s {}:{}", "-s {}:{} -b 127.0.0.1:{}"),
}


def programs(name: str) -> Programs:
    """Those of a host."""
    return PROGRAMS[_hosts.implementation(name)]


@functools.cache
def put(name: str) -> None:
    """Copy what runs on the host there: the drivers, and the collection's module_utils as a module finds them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path in Path(__file__).parent.glob("_life_*.py"):
            archive.add(path, path.name)
        top = "ansible_collections/fastopen/shadowsocks/plugins/module_utils"
        archive.add(
            _hosts.ROOT / "plugins" / "module_utils", top, filter=lambda i: None if "__pycache__" in i.name else i
        )
    run(name, f"rm -rf {FOLDER}; mkdir {FOLDER}; tar xzf - -C {FOLDER}", stream.getvalue())


def run(name: str, command: str, given: bytes = b"", seconds: float = 900.0) -> str:
    """A shell's output on the host, with something on its standard input."""
    key = f"{_cache()}/fleet/id_ed25519"
    address = f"root@{_hosts.variables(name)['ansible_host']}"
    # pylint: disable-next=protected-access
    words = ["ssh", *shlex.split(_hosts._SSH), "-i", key, "-o", "ControlMaster=auto", "-o", "ControlPersist=20"]
    # pylint: disable-next=protected-access
    words += ["-o", f"ControlPath={_hosts._connections()}/%C", address, command]
    done = subprocess.run(words, input=given, stdout=subprocess.PIPE, check=False, timeout=seconds)
    assert done.returncode == 0, f"{name}: {command}: {done.returncode}: {done.stdout!r}"
    return done.stdout.decode()


def _cache() -> str:
    return os.environ.get("FASTOPEN_CACHE") or f"{os.environ['HOME']}/.cache/fastopen.shadowsocks"


def services(name: str) -> dict[str, dict[str, Any]]:
    """The host's services by side, as the controller gives them to the modules."""
    (peer,) = set(HOSTS) - {name}
    both = {"name": "main", "implementation": _hosts.implementation(name), "server_port": 8388, "mode": "tcp_only"}
    both.update(method="aes-256-gcm", password="a-secret-of-both-hosts")
    own, other = (_hosts.variables(host)["data_address"] for host in (name, peer))
    client = {
        "program": "ss-local",
        "server": [other],
        "server_host": peer,
        "local_address": "127.0.0.1",
        "local_port": 1080,
    }
    return {"server": {**both, "program": "ss-server", "server": [own]}, "client": {**both, **client}}


MENDED = f"""
systemctl stop 'fastopen-lease*'; systemctl stop thief
systemctl unmask --quiet systemd-sysctl; cd /etc/systemd/system; umount /var/lib/fastopen /run/fastopen 2>/dev/null
rm -rf /etc/systemd/system/*.service.d /run/systemd/system/*.service.d /etc/sysctl.d/*-t*.conf /etc/sysctl.d/zz-*
rm -rf {SERVER} {CLIENT} /var/lib/fastopen /run/fastopen /usr/local/lib/fastopen
sed -i 's/\\.json .*$/.json/' ss-server@.service ss-local@.service
test ! -e /root/config || mv /root/config /etc/shadowsocks/ss-local-main.json
sed '/late.example/d' /etc/hosts > /root/hosts; cat /root/hosts > /etc/hosts; rm /root/hosts
sysctl -qw net.ipv4.tcp_fastopen=1; systemctl daemon-reload; systemctl restart {SERVER} {CLIENT}
"""
"""After a failed test the others find their hosts as they should be."""


def module(name: str, module_name: str, **arguments: object) -> str:
    """All that a module of the collection says, called as a user does."""
    command = [
        "ansible",
        name,
        "-i",
        str(_hosts.INVENTORY),
        "-m",
        f"fastopen.shadowsocks.{module_name}",
        "-a",
        json.dumps(arguments),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return " ".join((done.stdout + done.stderr).split())


class Life:
    """One host: what it is asked for, and what it is like then."""

    def __init__(self, name: str) -> None:
        put(name)
        self.name = name
        self.base: dict[str, Any] = {}

    def request(self, side: str, **given: Any) -> dict[str, Any]:
        """A request of one side, with the flag on servers whatever they are."""
        asked = {"side": side, "services": [services(self.name)[side]], "mode": "flag", "probe_url": _hosts.ORIGIN}
        return {**asked, "run": "one", "who": "tester@life", "lease_seconds": 30.0, **given}

    def call(self, side: str, state: str, kill: int = 0, **given: Any) -> dict[str, Any]:
        """What tfo_stage answers, from a driver that calls what the module calls."""
        asked = {"state": state, "request": self.request(side, **given), "kill": kill}
        return json.loads(run(self.name, f"python3 {FOLDER}/_life_driver.py", json.dumps(asked).encode()))

    def get(self, side: str, *states: str, **given: Any) -> list[str]:
        """Call for these states in turn, and have each of them."""
        reasons: list[str] = []
        for state in states:
            done = self.call(side, state, **given)
            wanted = "confirmed" if state == "present" else state
            assert done["outcome"] == wanted, f"{self.name}: {state}: {done['outcome']}: {done['reasons']}"
            reasons += done["reasons"]
        return reasons

    def refused(self, side: str, state: str, **given: Any) -> str:
        """Call for the state, be refused, and return why."""
        done = self.call(side, state, **given)
        assert done["outcome"] == "refused", f"{self.name}: {state}: {done['outcome']}: {done['reasons']}"
        return "; ".join(done["reasons"])

    def see(self) -> dict[str, Any]:
        """See _life_seen.see."""
        return json.loads(run(self.name, f"python3 {FOLDER}/_life_seen.py"))

    def shell(self, command: str) -> str:
        """A shell's output; it must succeed."""
        return run(self.name, command)

    def program(self, *arguments: str, status: int = 0) -> str:
        """What the host's own program says, on both of its outputs."""
        text = self.shell(f"{PROGRAM} {shlex.join(arguments)} 2>&1; echo $?")
        said, found = text.rstrip().rpartition("\n")[::2]
        assert int(found) == status, text
        return said

    def status(self) -> dict[str, Any]:
        """`fastopen status --json`."""
        return json.loads(self.program("status", "--json"))

    def problems(self) -> str:
        """What `fastopen status` has against our drop-ins."""
        return "; ".join(problem for unit in self.status()["units"] for problem in unit["problems"])

    def answers(self, side: str) -> None:
        """A request that passes the unit is answered."""
        said = self.shell(f"cd {FOLDER} && python3 -c 'import _life_seen as s; print(s.fetch(\"{side}\"))'")
        assert not said.strip(), f"{self.name}: {side}: {said}"

    def is_(self, stage: str, side: str, **but: Any) -> dict[str, Any]:
        """Files, process and kernel are those of the stage, whatever the other side is under; keywords: what differs."""
        seen, unit = self.see(), UNITS[side]
        flag = stage in ("stepped", "confirmed", "killed")
        assert ("--fast-open" in seen["argv"][unit]) == flag, seen["argv"][unit]
        for top, wanted in (("/run", stage == "stepped"), ("/etc", stage in ("confirmed", "killed"))):
            assert (f"{top}/systemd/system/{unit}.d/{DROP_IN}" in seen["files"]) == wanted, f"{stage}: {top}"
        on = 2 if side == "server" and stage in ("stepped", "confirmed") else 0
        boot = on if stage == "confirmed" else 0
        wanted = {"value": self.base["value"] | on, "boot": self.base["boot"] | boot, **but}
        assert {key: seen[key] for key in wanted} == wanted
        assert seen["units"][unit]["NeedDaemonReload"] == "no"
        self.answers(side)
        return seen

    def as_before(self, *kinds: str) -> None:
        """All that is not our own state is as it was."""
        seen = self.see()
        for kind in kinds or COMPARED:
            was, now = self.base[kind], seen[kind]
            if isinstance(was, dict):
                keys = [key for key in {**was, **now} if was.get(key) != now.get(key)]
                was, now = ({key: one.get(key) for key in keys} for one in (was, now))
            assert was == now, f"{self.name}: {kind} not as before"

    def reset(self) -> None:
        """By nobody's run, everything away."""
        for side in ("client", "server"):
            self.call(side, "lifted")
            self.call(side, "plain", run="", memory="forget")
        self.shell("rm -f /run/fastopen/ended.json /run/fastopen/lock; rmdir /run/fastopen 2>/dev/null; true")

    def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for it."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{self.name}: {self.see()}"
            time.sleep(0.1)

    def lease(self) -> dict[str, Any]:
        """The lease as the host keeps it; {} where there is none."""
        return json.loads(self.shell(f"cat {LEASE} 2>/dev/null || echo '{{}}'"))

    def record(self) -> dict[str, Any]:
        """The record as the host keeps it; {} where there is none."""
        return json.loads(self.shell(f"cat {RECORD} 2>/dev/null || echo '{{}}'"))

    def ended(self) -> bool:
        """Whether no run holds the host any more, live or not."""
        return not self.lease()


def on_both(test: Callable[[str], None]) -> Callable[[], None]:
    """A test that runs on both hosts at the same time."""

    def tested() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(test, HOSTS))

    tested.__name__, tested.__doc__ = test.__name__, test.__doc__
    return tested


@contextmanager
def life(name: str) -> Iterator[Life]:
    """A plain host, which is as before once the block has ended, with nothing of ours left."""
    host = Life(name)
    host.base = host.see()
    found = {key: host.base[key] for key in ("value", "boot", "kept", "timers")}
    assert found == {"value": 1, "boot": 1, "kept": [], "timers": []}
    try:
        yield host
    except BaseException:
        run(name, MENDED)
        raise
    host.reset()
    host.as_before()
    assert not host.see()["kept"]
    assert not host.see()["timers"]
