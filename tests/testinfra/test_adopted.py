# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that was set up without us, under traffic all the time: discover, rollout, rollback; then it is as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _hosts
import _others
import _others_rust
import _state
import pytest
import yaml
from _boxes import boxes
from _guarded import SERVICE, STATUS, UNDOES_SECONDS, deploy, flagged, wait
from _hosts import CLIENTS, INVENTORY, MEMBERS, ORIGIN, Play, host, play
from _seen import arguments, unit
from _traffic import captured, first_bytes, from_client

Fleet = dict[str, _others.Found]
HOSTS = ("--limit", "all:!fleet_support")
LOAD = "/run/load.log"


FLEETS = _others_rust.FLEETS if _hosts.implementation("ss1") == "rust" else _others.FLEETS


@pytest.fixture(scope="module", params=FLEETS.values(), ids=FLEETS, autouse=True)
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """Each of the fleets, on fresh hosts; between them they have every kind of unit on both releases of systemd."""
    _hosts.fleet("up", "--fresh", *MEMBERS)
    _others.bring_up(request.param)
    return request.param


@pytest.fixture(scope="module")
def inventory(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an operator has who knows nothing but the hosts."""
    del fleet
    folder = tmp_path_factory.mktemp("inventory")
    shutil.copy(INVENTORY / "hosts.yml", folder / "hosts.yml")
    (folder / "group_vars").mkdir()
    variables: dict[str, Any] = {"rollout_probe_url": ORIGIN, "rollout_bake_seconds": 0, "rollout_probe_requests": 20}
    variables.update(rollout_server_batches=["100%"], rollout_client_waves=["100%"])
    variables["rollout_report_dir"] = str(folder / "reports")
    (folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", autouse=True)
def load(fleet: Fleet) -> Iterator[None]:
    """A request through each client after the other, all the time; each leaves a line, its curl's exit status."""
    del fleet
    loop = f"while :; do curl -s -o /dev/null --max-time 10 --socks5 127.0.0.1:1080 {ORIGIN}; echo $? >> {LOAD}; sleep 0.1; done"
    for name in CLIENTS:
        host(name).check_output("rm -f %s; systemd-run --quiet --collect --unit=load sh -c %s", LOAD, loop)
    yield
    for name in CLIENTS:
        host(name).check_output("systemctl stop load")


@pytest.fixture(scope="module")
def before(fleet: Fleet, load: None) -> dict[str, dict[str, Any]]:
    """What each host is like: kernel, files, units; and the arguments of what runs."""
    del load
    return {name: observed(name, fleet) for name in MEMBERS}


def observed(name: str, fleet: Fleet) -> dict[str, Any]:
    """Without the processes' numbers, and without the load's own transient unit."""
    found = _state.read(name)
    found["files"] = {path: what for path, what in found["files"].items() if "/run/systemd/system" not in path}
    for one in fleet[name].units:
        shown = unit(name, one)
        found[one] = {key: shown.get(key) for key in ("ActiveState", "SubState", "UnitFileState", "DropInPaths")}
        found[one]["argv"] = arguments(name, one)
    return found


def told(inventory: Path, done: Play) -> str:
    """What was said, and everything that was kept of it on the controller: no secret of theirs is in it."""
    kept = "".join(path.read_text(encoding="utf-8") for path in inventory.rglob("*") if path.is_file())
    assert _others.PASSWORD not in done.output + kept
    return done.words


def instances(inventory: Path, name: str) -> list[dict[str, str]]:
    """What discover wrote for a host."""
    (path,) = (inventory / "host_vars" / name).iterdir()
    ((_variable, entries),) = yaml.safe_load(path.read_text(encoding="utf-8")).items()
    return entries


def test_discover(inventory: Path, fleet: Fleet, before: dict[str, dict[str, Any]]) -> None:
    """It writes what adopts everything, changes no host, and the next run has nothing to add."""
    done = play("fastopen.shadowsocks.discover", *HOSTS, "--check", "--diff", inventory=inventory)
    assert done.status == 0, told(inventory, done)
    assert not (inventory / "host_vars").exists()
    done = play("fastopen.shadowsocks.discover", *HOSTS, inventory=inventory)
    assert done.status == 0, told(inventory, done)
    for name, found in fleet.items():
        written = instances(inventory, name)
        assert sorted(one["unit"] for one in written) == sorted(found.units)
        main = next(one for one in written if one["unit"] == found.units[0])
        assert main.get("server") == (found.servers[0] if len(found.servers) == 1 else None)
    again = play("fastopen.shadowsocks.discover", *HOSTS, inventory=inventory)
    assert (again.status, again.recap["c1"]["changed"]) == (0, 0)
    assert {name: observed(name, fleet) for name in MEMBERS} == before


def test_rollout(inventory: Path, fleet: Fleet) -> None:
    """Without an edit: everybody is promoted, SYN data is on the wire, and a client of two servers has a path to each."""
    done = play("fastopen.shadowsocks.rollout", inventory=inventory)
    assert done.status == 0, told(inventory, done)
    assert f"promoted 6: {', '.join(MEMBERS)}" in told(inventory, done)
    for name, found in fleet.items():
        assert all((arguments(name, one)[-2:] == ["--fast-open", ""]) == found.flag for one in found.units), name
    for server in ("ss1", "ss2"):
        clients = [name for name in CLIENTS if fleet[name].servers == [server]]
        with captured(server) as seen:
            for name in clients:
                first_bytes(name, 3)
        assert clients and all(max(from_client(seen, name)) > 0 for name in clients), (server, seen)


def test_only_its_tfo_is_ours(fleet: Fleet, before: dict[str, dict[str, Any]]) -> None:
    """Bits, one line, one drop-in a unit, and our own state: nothing else is another than it was."""
    for name in MEMBERS:
        now, was = observed(name, fleet)["files"], before[name]["files"]
        ours = {path for path in {*now, *was} if now.get(path) != was.get(path)}
        assert all("fastopen" in path or path.endswith((".d", "99-tfo.conf", "sysctl.d")) for path in ours), (
            name,
            ours,
        )


def test_rollout_again(inventory: Path) -> None:
    """Nothing is left to do."""
    done = play("fastopen.shadowsocks.rollout", inventory=inventory)
    assert (done.status, sum(figures["changed"] for figures in done.recap.values())) == (0, 0), told(inventory, done)


def test_guard(inventory: Path, fleet: Fleet, before: dict[str, dict[str, Any]]) -> None:
    """A path turns bad under the load: the guard takes that client's own units back to what they were, and nobody else's."""
    client, others = "c2", ("c1", "c4")
    deploy(client, *others, inventory=inventory, tfo_guard_interval_seconds=10, tfo_guard_textfile_directory="")
    with boxes(f"{client} drop-data"):
        for one in fleet[client].units:
            seconds = wait(lambda: not flagged(client, one), UNDOES_SECONDS)
            print(f"{one} of {client} is plain after {seconds:.0f} s")
        wait(lambda: unit(client, SERVICE)["ActiveState"] == "inactive", 90)
        text = host(client).check_output(STATUS)
    for one in fleet[client].units:
        assert arguments(client, one) == before[client][one]["argv"]
        assert f"{one}: taken off by guard at" in text
    assert "SYNs with data to 10.203.2.12 port 8388 get lost and plain ones pass" in text
    assert "plain, and proven so" in host(client).check_output(f"journalctl --no-pager -o cat -u {SERVICE}")
    for name in others:
        assert all(flagged(name, one) for one in fleet[name].units), name
    done = play("fastopen.shadowsocks.rollout", inventory=inventory)
    assert (done.status, "taken off by guard at" in told(inventory, done)) == (0, True)


def test_rollback_all(inventory: Path, fleet: Fleet, before: dict[str, dict[str, Any]]) -> None:
    """Every file, unit, sysctl and argv as it was before."""
    done = play("fastopen.shadowsocks.rollback", inventory=inventory, rollback_scope="all")
    assert done.status == 0, told(inventory, done)
    for name in MEMBERS:
        assert observed(name, fleet) == before[name], name


def test_load() -> None:
    """Each client was restarted twice and its server twice: a few requests were cut by that, and all others answered."""
    for name in CLIENTS:
        statuses = host(name).check_output(f"cat {LOAD}").split()
        failed = [status for status in statuses if status != "0"]
        assert len(statuses) > 100 and len(failed) <= 12, (name, failed)
        assert statuses[-3:] == ["0"] * 3
