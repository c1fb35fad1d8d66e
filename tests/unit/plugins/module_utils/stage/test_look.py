# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One side of a host in one look: what is deployed, what really runs, and what a step would do."""

from __future__ import annotations

import os
import platform
import re

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe, _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _archive,
    _binary,
    _listeners,
    _observe,
    _process,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _drop_in,
    _look,
    _proof,
    _record,
    _request,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _refusals
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_SERVICE,
    MARKER,
    SERVER_SERVICE,
)

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
STAGES = {"server": "accept", "client": "send"}


@pytest.fixture(autouse=True)
def fixture_kernel(fake_host, monkeypatch):
    """The kernel's value is read, no packet is sent over loopback."""

    def observe():
        value = int(fake_host.sysctl())
        return {"sysctl": {"value": value, "send": bool(value & 1), "accept": bool(value & 2)}}

    monkeypatch.setattr(_probe, "observe", observe)


def look(stage, side, probe_paths=True, services=None, **change):
    """Look, and see that nothing changed by it and that no password is shown."""
    request = stage.request(side, **({} if services is None else {"services": services}), **change)
    before, done = stage.observe(), list(stage.host.done)
    wanted = _observe.Wanted(side, request.services)
    found = _look.look(request, wanted, "shadowsocks-libev", probe_paths)
    assert (stage.observe(), stage.host.done) == (before, done)
    assert MARKER not in str(found)
    return found


def test_plain(stage, side):
    """Deployed, and a step would work."""
    found = look(stage, side)
    assert (found["side"], found["deployed"], found["differs"], found["reasons"]) == (side, "yes", [], [])
    assert (found["step"]["outcome"], found["done"]) == ("planned", False)
    assert [one["what"] for one in found["step"]["differs"]] == (
        ["kernel", "file", "file"] if side == "server" else ["file"]
    )
    stage_ = found["stage"]
    assert [stage_[key] for key in ("intended", "state", "problems", "undone")] == ["off", "plain", [], {}]
    assert [(path["port"], path["verdict"]) for path in found["paths"]] == [(8388, "fast_open")]
    (service,) = found["services"]
    assert (service["unit"], service["state"], service["enabled"], service["restarts"]) == (
        UNITS[side],
        "active",
        True,
        0,
    )
    assert service["fast_open"] is False


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_under_tfo(stage, side, state):
    """What was confirmed is intended; only that is done."""
    stage.ask("stepped", side)
    stage.ask(state, side)
    found = look(stage, side)
    intended = STAGES[side] if state == "confirmed" else "off"
    assert [found["stage"][key] for key in ("intended", "actual", "state")] == [intended, STAGES[side], state]
    assert (found["done"], found["services"][0]["fast_open"]) == (state == "confirmed", True)
    assert found["stage"]["claim"]["run"] == "run1"


def test_client_whose_server_does_not_accept_any_more(client):
    """That the run is to bring the server there again excuses the path, and makes nothing proven: it steps after it."""
    client.ask("present", "client")
    client.host.verdicts[8388] = "data_refused"
    found = look(client, "client", planned_servers=["ss1"])
    assert (found["step"]["outcome"], found["reasons"], found["done"]) == ("confirmed", [], False)


def test_undone(stage, side):
    """By whom and why; a step is skipped unless it is to try again."""
    stage.ask("stepped", side)
    stage.ask("plain", side, memory="add", why="slower")
    found = look(stage, side)
    assert (found["stage"]["state"], found["stage"]["undone"][UNITS[side]]["why"]) == ("undone", "slower")
    assert (found["step"]["outcome"], "rollout_retry" in found["reasons"][0]) == ("skipped", True)
    assert look(stage, side, retry=True)["step"]["outcome"] == "planned"


def test_drop_in_that_nobody_keeps(stage, side):
    """Unknown comes before all other states."""
    stage.ask("present", side)
    (stage.host.state_dir / "record.json").unlink()
    found = look(stage, side)
    assert (found["stage"]["state"], found["stage"]["intended"], found["done"]) == ("unknown", "off", False)


def test_problem_of_a_confirmed_side(stage, side):
    """Named with its unit, and so nothing is done."""
    stage.ask("present", side)
    os.unlink(_drop_in.path(UNITS[side], _drop_in.CONFIRMED))
    stage.host._systemctl("daemon-reload")
    found = look(stage, side)
    assert (found["done"], found["step"]["outcome"]) == (False, "planned")
    assert found["stage"]["problems"][0].startswith(f"{UNITS[side]}: ")


def test_other_side_is_not_told(both):
    """Each look has its own units, problems and memory."""
    both.ask("stepped", "server")
    both.ask("plain", "server", memory="add")
    both.ask("present", "client", run="run1")
    found = look(both, "server")
    assert (found["stage"]["state"], found["stage"]["intended"]) == ("undone", "off")
    found = look(both, "client")
    assert (found["stage"]["state"], found["stage"]["undone"]) == ("confirmed", {})


@pytest.mark.parametrize(
    ("run", "take_over", "outcome"),
    [("run1", "", "planned"), ("run2", "", "refused"), ("", "", "refused"), ("run2", "run1", "planned")],
)
def test_claimed_host(stage, side, run, take_over, outcome):
    """The claim of another run is a reason against a step."""
    stage.ask("claimed", side)
    found = look(stage, side, run=run, take_over=take_over)
    assert found["step"]["outcome"] == outcome
    assert (outcome == "planned") is (found["reasons"] == [])


def test_kill_switch(server):
    """A reason against a step, and shown by itself; what was confirmed is not intended while it is on."""
    server.ask("present", "server")
    server.ask("killed", "server", run="", who="ops@desk")
    found = look(server, "server")
    assert (found["stage"]["intended"], found["stage"]["state"]) == ("off", "confirmed")
    assert (found["step"]["outcome"], found["stage"]["kill_switch"]["by"]) == ("refused", "ops@desk")


@pytest.mark.parametrize("state", ["plain", "present"])
def test_server_that_does_not_accept(server, state):
    """A reason once it is confirmed; before that it is only what there is."""
    if state == "present":
        server.ask("present", "server")
    server.host.verdicts[8388] = "data_refused"
    found = look(server, "server")
    assert [path["verdict"] for path in found["paths"]] == ["data_refused"]
    assert (found["stage"]["actual"], found["done"]) == ("off", False)
    said = ["data_refused: port 8388 does not accept SYN data"]
    assert found["reasons"] == (said if state == "present" else [])


@pytest.mark.parametrize(("planned", "outcome"), [([], "skipped"), (["ss1"], "planned")])
def test_client_whose_path_carries_nothing_yet(client, planned, outcome):
    """Shown either way; what a planned server does not do yet is no reason."""
    client.host.verdicts[8388] = "no_cookie"
    found = look(client, "client", planned_servers=planned)
    assert (found["step"]["outcome"], [path["verdict"] for path in found["paths"]]) == (outcome, ["no_cookie"])


@pytest.mark.parametrize(("mode", "told"), [("flag", []), ("listener", [("ssh.service", 22), ("", 5432)])])
def test_other_listeners(server, monkeypatch, mode, told):
    """With bit 0x400 all accept: each is told once, and the services' own are not."""
    holders = [
        _listeners.Holder("tcp", "0.0.0.0", 22, 10, "sshd", "ssh.service"),
        _listeners.Holder("tcp", "127.0.0.1", 5432, 11, "postgres"),
        _listeners.Holder("tcp", "127.0.0.1", 5432, 12, "postgres"),
        _listeners.Holder("tcp", "0.0.0.0", 8388, 13, "ss-server", UNITS["server"]),
    ]
    monkeypatch.setattr(_listeners, "tcp", lambda: holders)
    found = look(server, "server", mode=mode)["listeners"]
    assert [(one["unit"], one["port"]) for one in found] == told
    assert all(set(one) == {"address", "port", "program", "unit"} for one in found)


def test_uptime(server):
    """As the kernel says."""
    assert look(server, "server")["uptime_seconds"] >= 0


@pytest.mark.parametrize("probe_paths", [True, False])
def test_probes(stage, side, probe_paths):
    """Only where they are asked for."""
    found = look(stage, side, probe_paths=probe_paths)
    assert (bool(stage.host.probed), bool(found["paths"])) == (probe_paths, probe_paths)


def test_paths_of_a_client_whose_kernel_may_not_send(client):
    """The step cannot try them yet, the look says what they are like now."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    found = look(client, "client")
    assert [path["verdict"] for path in found["paths"]] == ["client_off"]
    assert found["step"]["outcome"] == "planned"


def test_something_else_is_deployed(stage, side):
    """Deploy first: no step is tried."""
    services = [{**stage.request(side).services[0], "timeout_seconds": 5}]
    found = look(stage, side, services=services)
    assert (found["deployed"], found["step"]) == ("differs", {"outcome": "planned", "differs": []})
    assert found["differs"]


@pytest.mark.parametrize("change", [{"server_port": 443}, {"plugin": "obfs-server"}, {"mode": "udp_only"}])
def test_server_that_accepts_and_is_to_be_deployed_otherwise(server, change):
    """What runs accepts, whatever else is wanted of it by now."""
    server.ask("present", "server")
    server.host.verdicts[443] = "unreachable"
    found = look(server, "server", services=[{**SERVER_SERVICE, **change}])
    assert (found["deployed"], found["stage"]["actual"], found["done"]) == ("differs", "accept", False)
    assert [path["port"] for path in found["paths"]] == [8388]


def test_server_that_is_to_be_deployed_otherwise_without_ipv6(server, monkeypatch):
    """It is bound to :: and 0.0.0.0, and the first of them, which is kept, is not there."""
    server.ask("present", "server")
    probe = _proof._path.probe

    def without_ipv6(host, port, **options):
        found = probe(host, port, **options)
        return {**found, "verdict": "unreachable"} if host == "::1" else found

    monkeypatch.setattr(_proof._path, "probe", without_ipv6)
    found = look(server, "server", services=[{**SERVER_SERVICE, "server_port": 443}])
    assert (found["deployed"], found["stage"]["actual"]) == ("differs", "accept")


def test_server_of_which_little_is_kept(server):
    """A drop-in that nobody kept, over a process that no restart reached: nobody knows where that listens."""
    server.ask("present", "server")
    record = _record.load()
    record.units[UNITS["server"]].update(address="", port=None)
    _record.store(record)
    found = look(server, "server", services=[{**SERVER_SERVICE, "server_port": 443}])
    assert (found["deployed"], found["stage"]["actual"], found["paths"]) == ("differs", "off", [])


@pytest.mark.parametrize("prune", [True, False])
def test_unit_that_nobody_lists(stage, side, prune):
    """It stays, or it goes, and each is told in one place."""
    found = _look.look(
        _request.Request(side), _observe.Wanted(side, [], prune=prune), "shadowsocks-libev", probe_paths=False
    )
    assert found["left"] == ([] if prune else [UNITS[side]])
    assert (UNITS[side] in [one["name"] for one in found["differs"]]) == prune


def test_nothing_is_deployed(server):
    """The client's side of a host that has a server only."""
    found = look(server, "client")
    assert (found["deployed"], found["step"]["outcome"], found["done"]) == ("no", "planned", False)
    assert found["services"][0]["fast_open"] is False


def test_unit_that_is_another_name(fake_host):
    """It is named, as a deployment names it."""
    (fake_host.unit_dir / UNITS["server"]).symlink_to("/etc/systemd/system/other.service")
    request = _request.Request("server", [SERVER_SERVICE])
    found = _look.look(request, _observe.Wanted("server", [SERVER_SERVICE]), "shadowsocks-libev", False)
    assert (found["deployed"], found["services"][0]["state"]) == ("no", "inactive")
    assert any("is another name of a unit of somebody else" in line for line in found["foreign"])


@pytest.mark.parametrize(
    ("version", "help_", "why"),
    [
        (None, "--fast-open", "is not installed"),
        ("3.3.5", "no such option", "has no --fast-open"),
        ("3.3.5", "--fast-open", ""),
    ],
)
def test_package(server, version, help_, why):
    """What is wrong with it comes first."""
    server.host.version, server.host.help = version, help_
    differs = look(server, "server")["differs"]
    assert [one["what"] for one in differs] == (["package"] if why else [])
    assert not why or why in differs[0]["why"]


def test_mode_that_was_changed(server, monkeypatch):
    """Another implementation has another mode: the flag stays until the next step, and is named."""
    monkeypatch.setattr(_listeners, "tcp", lambda: [])
    server.ask("present", "server", mode="flag")
    found = look(server, "server", mode="listener")
    (told,) = [one for one in found["step"]["differs"] if one["what"] == "mode"]
    assert (told["name"], told["why"]) == (UNITS["server"], "is under TFO in mode flag, not listener")
    assert (found["stage"]["intended"], found["done"]) == ("accept", False)


@pytest.mark.parametrize("installed", [True, False])
def test_archive(server, monkeypatch, installed):
    """Another archive than the inventory's: deploy first, as for every other difference."""
    monkeypatch.setattr(_archive, "is_installed", lambda checksum: installed and checksum == "sha256:1")
    request = server.request("server")
    wanted = _observe.Wanted("server", request.services, archive={platform.machine(): "sha256:1"})
    found = _look.look(request, wanted, "shadowsocks-rust", False)
    assert found["deployed"] == ("yes" if installed else "differs")
    refused = _refusals.refusals([found])
    assert refused == (
        []
        if installed
        else ["deployed otherwise than the inventory says (shadowsocks-rust): run playbook deploy first"]
    )


def test_password_that_was_changed(stage, side):
    """It does not ride along with a step: deploy first (field: A11)."""
    service = {**(SERVER_SERVICE if side == "server" else CLIENT_SERVICE), "password": "another-password"}
    found = look(stage, side, services=[service])
    assert found["deployed"] == "differs"
    (refused,) = _refusals.refusals([found])
    assert re.fullmatch(
        r"deployed otherwise than the inventory says \(.*main.json.*\): run playbook deploy first", refused
    )


@pytest.mark.parametrize(
    ("programs", "installed", "differs"),
    [
        (["ss-redir"], ["ss-redir"], 0),
        (["ss-redir"], ["ss-local"], 1),
        (["ss-local", "ss-redir"], ["ss-local", "ss-redir"], 0),
        (["ss-tunnel"], ["ss-tunnel"], 0),
        (["ss-tunnel"], ["ss-tunnel", "ss-local"], 0),
        (["ss-tunnel"], [], 1),
        ([], ["ss-redir"], 0),
    ],
)
def test_program_that_is_asked(fake_host, monkeypatch, programs, installed, differs):
    """One that the side runs: a rollout is not refused for one that a deployment does not miss."""
    monkeypatch.setattr(_binary, "find", lambda program: f"/opt/{program}" if program in installed else None)
    monkeypatch.setattr(_binary, "knows_fast_open", lambda path: not path.endswith("ss-tunnel"))
    services = [{**CLIENT_SERVICE, "program": program, "local_port": at} for at, program in enumerate(programs, 1080)]
    request = _request.Request("client", services)
    found = _look.look(request, _observe.Wanted("client", services), "shadowsocks-libev", False)
    assert len([one for one in found["differs"] if one["what"] == "package"]) == differs


def process(*argv):
    """A running process."""
    return _process.Process(list(argv), 0.0)


FLAGGED, PLAIN = {"fast_open": True}, {"fast_open": False}
ON, OFF = {"send": True}, {"send": False}
GOOD, BAD = [{"verdict": "fast_open"}], [{"verdict": "fast_open"}, {"verdict": "data_refused"}]


@pytest.mark.parametrize(
    ("side", "services", "sysctl", "paths", "wanted"),
    [
        ("server", [FLAGGED], ON, GOOD, "accept"),
        ("server", [FLAGGED], ON, BAD, "off"),
        ("server", [PLAIN], ON, GOOD, "accept"),
        ("server", [PLAIN], ON, [], "off"),
        ("server", [FLAGGED], OFF, GOOD, "broken"),
        ("server", [FLAGGED], None, [], "broken"),
        ("client", [FLAGGED], ON, [], "send"),
        ("client", [PLAIN], ON, GOOD, "off"),
        ("client", [FLAGGED, PLAIN], OFF, GOOD, "broken"),
    ],
)
def test_actual(side, services, sysctl, paths, wanted):
    """By the processes, the kernel and a SYN; 0x1 must be there wherever the flag is."""
    assert _look.actual(side, services, sysctl, paths) == wanted


def test_damaged_record(server):
    """Whoever looks is told."""
    server.host.put(server.host.state_dir / "record.json", "{")
    with pytest.raises(_record.RecordError, match="record.json is damaged"):
        look(server, "server")
