# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of the stage, and everything that can come of it."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _observe, _owned, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _cli,
    _confirm,
    _deployed,
    _down,
    _drop_in,
    _lock,
    _record,
    _request,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, SERVER_SERVICE

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def test_present(stage, side):
    """Step, proof and confirmation in one; no claim is left."""
    result = stage.ask("present", side)
    assert (result.outcome, result.changed) == ("confirmed", True)
    assert (stage.places(side), stage.lease(), stage.host.transient) == (["confirmed"], {}, set())
    assert stage.ask("present", side).changed is False


def test_present_that_is_not_proven(stage, side):
    """Down again at once; no claim is left."""
    stage.host.verdicts[8388] = "data_refused" if side == "server" else "fast_open"
    stage.host.answers = side == "server"
    result = stage.ask("present", side)
    assert result.outcome == "failed"
    assert (stage.places(side), stage.flagged(side), stage.lease(), stage.host.transient) == ([], False, {}, set())


@pytest.mark.parametrize("value", ["1", "0"])
def test_present_that_is_skipped(client, value):
    """Nothing is left by a client that is not eligible, also where 0x1 had to be set to know that."""
    client.host.verdicts[8388] = "no_cookie"
    _proc.write_sysctl(_proc.FASTOPEN, value, str(client.host.root / "proc"))
    before = client.observe()
    assert client.ask("present", "client", run="role-1").outcome == "skipped"
    assert client.observe() == before
    nothing_is_left(client)


def nothing_is_left(stage):
    """Of a call that did not come up, nor of its claim."""
    assert (stage.lease(), stage.host.transient) == ({}, set())
    assert (stage.host.state_dir.exists(), stage.host.program.parent.exists()) == (False, False)


def test_present_that_is_refused(stage, side):
    """By the step, after the claim."""
    stage.host._systemctl("stop", UNITS[side])
    assert stage.ask("present", side, run="role-1").outcome == "refused"
    nothing_is_left(stage)


def test_present_whose_confirmation_fails(stage, side, monkeypatch):
    """Down again with the reason."""
    failed = _request.Outcome("failed", reasons=["runs without"])
    monkeypatch.setattr(_confirm, "confirm", lambda _request, _check: failed)
    result = stage.ask("present", side, run="role-1")
    assert (result.outcome, result.reasons) == ("failed", ["runs without"])
    assert stage.observe() == stage.plain
    nothing_is_left(stage)


@pytest.mark.parametrize("edge", [(_systemd, "run_transient"), (_drop_in, "write"), (_record, "store")])
def test_present_that_breaks_off(stage, side, monkeypatch, edge):
    """An error of the host: what is up by then has its lease, which undoes it."""

    def refuse(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*edge, refuse)
        with pytest.raises(OSError, match="No space left"):
            stage.ask("present", side, run="role-1")
    lease = stage.lease()
    if lease:
        assert f"{lease['timer']}.timer" in stage.host.transient
        stage.end_lease()
        assert _cli.main(["expire", "role-1"]) == 0
    assert stage.observe() == stage.plain


def test_present_in_check_mode(stage, side):
    """What the real call says that follows, and nothing is there after it; also where the record is lost."""
    planned = stage.ask("present", side, check=True)
    assert (planned.outcome, planned.changed, stage.observe()) == ("planned", True, stage.plain)
    nothing_is_left(stage)
    assert stage.ask("present", side).changed is True
    assert (stage.ask("present", side, check=True).outcome, stage.ask("present", side).outcome) == ("confirmed",) * 2
    (stage.host.state_dir / "record.json").unlink()
    planned = stage.ask("present", side, check=True)
    assert (planned.outcome, planned.changed) == ("planned", True)
    real = stage.ask("present", side)
    assert (real.outcome, real.changed) == ("confirmed", True)


@pytest.mark.parametrize("state", ["plain", "killed"])
def test_lock_that_somebody_holds(server, monkeypatch, state):
    """The way up waits for it and says by whom; the way down waits no longer than that, and goes."""
    server.ask("stepped", "server")
    monkeypatch.setattr(_lock, "SECONDS", 0.05)
    with _lock.hold():
        with pytest.raises(_record.RecordError, match="run/fastopen/lock is held for"):
            server.ask("confirmed", "server")
        assert server.ask(state, "server", run="").outcome == state
    assert (server.flagged("server"), server.host.sysctl()) == (False, "1")


@pytest.mark.parametrize("state", ["claimed", "stepped", "present"])
def test_no_room_for_the_record(stage, side, monkeypatch, state):
    """Said before anything else is done; the way down does not ask."""

    def full():
        raise OSError(28, "No space left on device", "/var/lib/fastopen")

    monkeypatch.setattr(_record, "ensure_room", full)
    with pytest.raises(OSError, match="No space left on device: '/var/lib/fastopen'"):
        stage.ask(state, side)
    assert (stage.observe(), stage.lease()) == (stage.plain, {})
    assert stage.ask("plain", side).outcome == "plain"


def test_client_that_loses_its_syns_and_does_not_come_down(client):
    """Failed: what it runs is not proven."""
    client.ask("present", "client")
    client.host.verdicts[8388], client.host.answers = "syn_dropped", False
    result = client.ask("stepped", "client")
    assert (result.outcome, client.flagged("client")) == ("failed", False)
    assert "timed out" in result.reasons[1]


def test_what_was_left_half_written(stage, side):
    """A call that was killed while writing: gone after the next one; what is not ours stays."""
    folders = [
        stage.host.state_dir,
        stage.host.run_dir,
        stage.host.program.parent,
        stage.host.unit_dir / f"{UNITS[side]}.d",
    ]
    for folder in folders:
        for name in (".abc.fastopen-new", "abc.fastopen-new", ".abc.new"):
            stage.host.put(folder / name, "half")
    stage.ask("claimed", side)
    for folder in folders:
        assert not (folder / ".abc.fastopen-new").exists()
        assert (folder / "abc.fastopen-new").exists() and (folder / ".abc.new").exists()


@pytest.mark.parametrize(("verdict", "outcome"), [("syn_dropped", "reverted"), ("no_cookie", "skipped")])
def test_client_under_tfo_whose_path_turned_bad(client, verdict, outcome):
    """One that loses its SYNs comes down; without a cookie TFO does no harm, and it stays as it is."""
    client.ask("present", "client")
    client.host.verdicts[8388] = verdict
    result = client.ask("stepped", "client")
    assert (result.outcome, client.flagged("client")) == (outcome, outcome == "skipped")
    assert result.reasons[0].startswith(verdict)


@pytest.mark.parametrize("before", ["stepped", "confirmed"])
def test_deploy_over_a_service_under_tfo(stage, side, before):
    """The drop-in follows what changes below it, with one restart."""
    service = {"server": SERVER_SERVICE, "client": {**CLIENT_SERVICE, "local_port": 80}}[side]
    stage.ask("stepped" if before == "stepped" else "present", side)
    wanted = _observe.Wanted(side, [{**service, "server_port": 443}])
    stage.host.done.clear()
    _deployed.deploy(wanted, check=False)
    assert [line for line in stage.host.done if line.startswith("restart")] == [f"restart {UNITS[side]}"]
    assert (stage.places(side), stage.flagged(side)) == ([before], True)
    own = stage.host.unit_dir / f"{UNITS[side]}.d/own.conf"
    command = stage.host.processes[stage.host.running[UNITS[side]]].argv[:-1]
    stage.host.put(own, f"[Service]\nExecStart=\nExecStart={' '.join(command)} -v\n")
    stage.host._systemctl("daemon-reload")
    _deployed.deploy(wanted, check=False)
    below = f"{' '.join(command)} -v --fast-open"
    assert below in open(_drop_in.path(UNITS[side], stage.folders(side)[0]), encoding="utf-8").read()
    assert stage.ask("plain", side, run="").outcome == "plain"


def test_instance_that_goes_gives_its_bits_back(stage, side):
    """And is forgotten: a new one of its name starts plain."""
    stage.ask("present", side)
    _deployed.deploy(_observe.Wanted(side, [], prune=True), check=False)
    assert (_record.load(), stage.host.sysctl(), stage.boot()) == (_record.Record(), "1", None)
    assert stage.places(side) == []


def test_bits_of_an_instance_that_goes_are_told(server):
    """In check mode as in the real run."""
    server.ask("present", "server")
    wanted = _observe.Wanted("server", [], prune=True)
    planned = _deployed.deploy(wanted, check=True)
    assert server.host.sysctl() == "3"
    assert "net.ipv4.tcp_fastopen is 3, not 1" in planned.steps
    assert any(step.endswith("net.ipv4.tcp_fastopen is put back") for step in planned.steps)
    done = _deployed.deploy(wanted, check=False)
    assert (planned.differs, planned.steps) == (done.differs, done.steps)
    assert _deployed.deploy(wanted, check=False).changed is False


def test_bits_of_an_instance_that_goes_and_cannot_be_put_back(server, monkeypatch):
    """Told; and they are kept as ours, for the next way down."""
    server.ask("present", "server")

    def refuse(*_arguments):
        raise PermissionError(30, "Read-only file system")

    with (
        monkeypatch.context() as patch,
        pytest.raises(_apply.ApplyError, match="net.ipv4.tcp_fastopen cannot be written"),
    ):
        patch.setattr(_proc, "write_sysctl", refuse)
        _deployed.deploy(_observe.Wanted("server", [], prune=True), check=False)
    assert (UNITS["server"] in server.host.running, server.host.sysctl()) == (False, "3")
    assert server.ask("plain", "server", run="", services=[]).outcome == "plain"
    assert (_record.load(), server.host.sysctl()) == (_record.Record(), "1")


def test_instance_that_goes_and_is_another_name_by_now(server):
    """Refused by name, in check mode too."""
    (server.host.unit_dir / UNITS["server"]).symlink_to("/etc/systemd/system/other.service")
    (line,) = _deployed.deploy(_observe.Wanted("server", [], prune=True), check=True).refused
    assert UNITS["server"] in line


@pytest.mark.parametrize("again", [True, False])
def test_instance_that_goes_in_a_run_that_is_killed(stage, side, monkeypatch, again):
    """After it is removed, and before its bits are given back: the next run does so, whatever it is about."""

    def killed(*_arguments):
        raise KeyboardInterrupt

    stage.ask("present", side)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_down, "down", killed)
        _deployed.deploy(_observe.Wanted(side, [], prune=True), check=False)
    assert list(_record.load().units) == [UNITS[side]]
    _deployed.deploy(_observe.Wanted(side, list(stage.request(side).services) if again else []), check=False)
    assert (_record.load(), stage.host.sysctl(), stage.boot()) == (_record.Record(), "1", None)
    assert (UNITS[side] in stage.host.running) == again


def test_service_of_somebody_under_tfo_is_no_orphan(server):
    """It is stopped for now, and what is kept of it stays."""
    server.ask("present", "server")
    _owned.store({})
    server.host._systemctl("stop", UNITS["server"])
    _deployed.deploy(_observe.Wanted("server", []), check=False)
    assert list(_record.load().units) == [UNITS["server"]]


@pytest.mark.parametrize("check", [True, False])
def test_damaged_record_is_told_before_a_deployment(stage, side, check):
    """Not after it."""
    stage.host.put(stage.host.state_dir / "record.json", "{")
    before = stage.observe()
    with pytest.raises(_record.RecordError):
        _deployed.deploy(_observe.Wanted(side, [], prune=True), check)
    assert stage.observe() == before


def test_instance_that_came_later_keeps_running(server):
    """A way down of everything stops and removes nothing (field: A13)."""
    server.ask("present", "server")
    later = {**SERVER_SERVICE, "name": "later", "server_port": 8389}
    _deployed.deploy(_observe.Wanted("server", [SERVER_SERVICE, later]), check=False)
    pid = server.host.running["ss-server@later.service"]
    assert server.ask("plain", "server", run="", memory="forget").outcome == "plain"
    assert server.host.running["ss-server@later.service"] == pid
    assert (server.host.config_dir / "ss-server-later.json").exists()
