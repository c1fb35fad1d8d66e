# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed where a play or task begins, and the command is run again: nobody is left behind.

Such a kill leaves the hosts as they are at that moment, and the next run knows nothing else. So a run is watched first, and
of all the boundaries at which its hosts are the same one is tried; where nothing differs from before the run, a second
one would be the first. FASTOPEN_PART=2/3 tries only every third, from the second on, so that several fleets can share a
sweep.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _hosts
import _state
import pytest
from _hosts import fleet, host
from _killed import again, run
from _seen import arguments, is_up, sysctl

HOSTS = ("ss2", "c2")
LIMIT = ",".join(HOSTS)
UNITS = {"ss2": "ss-server@main.service", "c2": "ss-local@main.service"}
REQUEST = f"curl --silent --show-error --fail --max-time 20 --output /dev/null --socks5 127.0.0.1:1080 {_hosts.ORIGIN}"
OURS = ("/var/lib/fastopen", "/run/fastopen", "/usr/local/lib/fastopen")
OFF = (
    "{ test ! -e /usr/local/lib/fastopen/fastopen || /usr/local/lib/fastopen/fastopen off >/dev/null; } && "
    f"systemctl stop 'fastopen-lease*' && rm -rf {' '.join(OURS)}"
)

Known = dict[str, object]
"""What hosts are like, by host, kind and name."""
KEPT = "tail -n +1 /run/fastopen/*.json /var/lib/fastopen/* 2>/dev/null; ps -C ss-server,ss-local -o args= | sort"
ALWAYS_NEW = ("/run/fastopen/", "/var/lib/fastopen/", "/etc/shadowsocks-libev/config.json")
"""Files that are read otherwise, and one to which the package gives a password by chance."""
OF_A_RUN = re.compile(r'\d{8}T\d{6}-\d{5}|(?<=fastopen-lease-)\d+|(?<="deadline": )[\d.]+|\d{4}-\d\d-\d\d[T ][\d:.+Z]+')
"""Which run it is, and times: they differ between two runs that do the same."""


def states() -> Known:
    """All that _state knows of the hosts, what is kept there, and what runs."""
    with ThreadPoolExecutor() as pool:  # a run that is watched waits for it, and its lease does not
        return {key: value for one in pool.map(_state_of, HOSTS) for key, value in one.items()}


def _state_of(name: str) -> Known:
    found: Known = {f"{name}, kept": OF_A_RUN.sub("#", host(name).run(KEPT).stdout)}
    for kind, values in _state.read(name).items():
        for key, value in values.items() if isinstance(values, dict) else [("all", values)]:
            if not key.startswith(ALWAYS_NEW):
                found[f"{name}, {kind}, {OF_A_RUN.sub('#', key)}"] = value
    return found


def changed(before: Known, now: Known) -> dict[str, tuple[object, object]]:
    """What is not as before: what it was, and what it is."""
    both = {key: (before.get(key), now.get(key)) for key in {**before, **now}}
    return {key: (was, is_) for key, (was, is_) in both.items() if was != is_}


def answers() -> None:
    """A request through the client and its server."""
    host("c2").check_output(REQUEST)


def plain() -> None:
    """Nobody is under TCP Fast Open, and the tunnel works."""
    _plain("ss2")
    _plain("c2")
    answers()


def promoted() -> None:
    """Both are confirmed, and the tunnel works."""
    _confirmed("ss2", value="3")
    _confirmed("c2", value="1")
    answers()


def client_plain() -> None:
    """The client sends no more, its server goes on to accept."""
    _confirmed("ss2", value="3")
    _plain("c2")
    answers()


def switched_off(kept: bool = True) -> None:
    """The server does not accept, now or after a boot, for as long as it is ``kept`` so; its service is as it was."""
    _confirmed("ss2", value="1")
    assert "net.ipv4.tcp_fastopen" not in host("ss2").check_output("/usr/lib/systemd/systemd-sysctl --cat-config")
    record = json.loads(host("ss2").check_output("cat /var/lib/fastopen/record.json"))
    assert bool(record["killed"]) == kept
    _confirmed("c2", value="1")
    answers()


def lifted() -> None:
    """The kill switch is off, and nothing was switched on by that."""
    switched_off(kept=False)


def _plain(name: str) -> None:
    unit = UNITS[name]
    assert is_up(name, unit)
    assert "--fast-open" not in arguments(name, unit)
    assert sysctl(name, "net.ipv4.tcp_fastopen") == "1"
    assert not _stepped(name)
    assert not _drop_ins(name)


def _confirmed(name: str, value: str) -> None:
    unit = UNITS[name]
    assert is_up(name, unit)
    assert "--fast-open" in arguments(name, unit)
    assert sysctl(name, "net.ipv4.tcp_fastopen") == value
    assert not _stepped(name)
    assert _drop_ins(name) == [f"/etc/systemd/system/{unit}.d/zz-fastopen.conf"]


def _stepped(name: str) -> list[str]:
    """What is not confirmed; the claim of a dead run on a host where nothing was left to be done ends by itself."""
    lease = host(name).run("cat /run/fastopen/lease.json")
    return list(json.loads(lease.stdout)["units"]) if lease.rc == 0 else []


def _drop_ins(name: str) -> list[str]:
    find = "find /etc/systemd/system /run/systemd/system -name zz-fastopen.conf 2>/dev/null"
    return host(name).run(find).stdout.split()


def off() -> None:
    """By the host's own program, which leaves the services as a deployment does."""
    for name in reversed(HOSTS):
        host(name).check_output(OFF)


def on() -> None:
    """As a role brings a host to its stage, server first; what a rollback has left is gone before."""
    off()
    for name, side in zip(HOSTS, ("server", "client")):
        command = ["ansible", name, "-i", str(_hosts.INVENTORY), "-m", "fastopen.shadowsocks.tfo_stage", "-a"]
        told = json.dumps({"side": side, "instances": f"{{{{ ss_{side}_instances }}}}"})
        done = subprocess.run([*command, told], check=False, capture_output=True, text=True)
        assert done.returncode == 0 and '"outcome": "confirmed"' in done.stdout, done.stdout


def new() -> None:
    """Machines without Shadowsocks."""
    fleet("up", "--fresh", *HOSTS, "--plain")


def sweep(
    playbook: str,
    reports: Path,
    begin: Callable[[], None],
    end: Callable[[], None],
    running: bool = True,
    **extra: object,
) -> None:
    """Kill it at every boundary; ``begin`` makes what the run begins with, ``end`` tells what it must come to.

    ``running``: the services run before, and answer all the time.
    """
    what = " ".join([playbook, *(f"{name}={value}" for name, value in extra.items())])
    begin()
    before, seen = states(), list[Known]()
    whole = run(playbook, LIMIT, reports, at_each=lambda: seen.append(states()), **extra)
    assert whole.status == 0, whole.output
    assert len(seen) == len(whole.names)
    end()
    firsts = [number for number, known in enumerate(seen, 1) if known not in seen[: number - 1]]
    for number, (name, known) in enumerate(zip(whole.names, seen), 1):
        print(f"{what} {number}/{len(seen)} {name}: hosts as at {seen.index(known) + 1}")
    part, parts = map(int, os.environ.get("FASTOPEN_PART", "1/1").split("/"))
    wrong, ended, dirty = [], Counter[str](), True
    for number in firsts[part - 1 :: parts]:
        where = f"{what} {number}/{len(whole.names)} {whole.names[number - 1]}"
        try:
            if dirty:
                begin()
                assert not changed(before, states())
            assert run(playbook, LIMIT, reports, kill_at=number, **extra).killed
            if running:
                answers()
            now = states()
            assert not changed(seen[number - 1], now)
            dirty, how = bool(changed(before, now)), "untouched"
            if dirty:
                how = again(playbook, LIMIT, reports, **extra)[0]
                end()
        except (AssertionError, subprocess.SubprocessError) as error:
            dirty, how = True, "wrong"
            wrong.append(f"{where}: {error}")
            print(wrong[-1])
        ended[how] += 1
        print(f"{where}: {how}", flush=True)
    print(f"{what}: {len(seen)} boundaries, {len(firsts)} states, {ended.total()} tried: {dict(ended)}")
    assert not wrong, "\n\n".join(wrong)


def test_deploy(tmp_path: Path) -> None:
    """On new machines: everybody ends with a tunnel that works, plain."""
    sweep("deploy", tmp_path, new, plain, running=False)


def test_rollout(tmp_path: Path) -> None:
    """Everybody ends promoted."""
    sweep("rollout", tmp_path, off, promoted)


@pytest.mark.parametrize(
    ("scope", "end"), [("send", client_plain), ("accept", switched_off), ("all", plain)], ids=["send", "accept", "all"]
)
def test_rollback(tmp_path: Path, scope: str, end: Callable[[], None]) -> None:
    """Everybody ends as far down as the scope says, and no further."""
    sweep("rollback", tmp_path, on, end, rollback_scope=scope)


def test_lift(tmp_path: Path) -> None:
    """The kill switch ends lifted."""

    def begin() -> None:
        on()
        again("rollback", LIMIT, tmp_path, rollback_scope="accept")

    sweep("rollback", tmp_path, begin, lifted, rollback_scope="accept", rollback_lift=True)


@pytest.fixture(scope="module", autouse=True)
def services(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What rollout and rollback begin with."""
    again("deploy", LIMIT, tmp_path_factory.mktemp("deploy"))
    off()
