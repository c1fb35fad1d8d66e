# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up: a step, its proof, its confirmation."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _proc, _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
BITS = {"server": "3", "client": "1"}
TEMPLATES = {"server": "ss-server@.service", "client": "ss-local@.service"}


def test_step(stage, side):
    """In /run and in the running kernel only; proven; and the second time nothing is restarted."""
    result = stage.ask("stepped", side)
    assert (result.outcome, result.changed, result.reasons) == ("stepped", True, [])
    assert (stage.places(side), stage.flagged(side), stage.host.sysctl()) == (["stepped"], True, BITS[side])
    assert (stage.boot(), stage.host.tree()) == (None, stage.plain[0])
    assert list(stage.lease()["units"]) == [UNITS[side]]
    pids = dict(stage.host.running)
    again = stage.ask("stepped", side)
    assert (again.outcome, stage.host.running) == ("stepped", pids)


def test_lease_comes_first(stage, side, monkeypatch):
    """Its timer runs and its file names the step before kernel or units change; the kernel comes before the unit."""
    order = []

    def looks(what, function):
        def call(*arguments, **keywords):
            known = list(stage.lease().get("units", [])) == [UNITS[side]]
            order.append((what, bool(stage.host.transient), known))
            return function(*arguments, **keywords)

        return call

    monkeypatch.setattr(_switch, "write", looks("kernel", _switch.write))
    monkeypatch.setattr(_drop_in, "write", looks("unit", _drop_in.write))
    stage.ask("stepped", side)
    assert order == [("kernel", True, True), ("unit", True, True)]


def test_no_lease_no_step(stage, side, monkeypatch):
    """Where the timer cannot be had, nothing else happens."""

    def refuse(*_arguments):
        raise _systemd.SystemdError("no timer")

    monkeypatch.setattr(_systemd, "run_transient", refuse)
    with pytest.raises(_systemd.SystemdError):
        stage.ask("stepped", side)
    assert stage.observe() == stage.plain


@pytest.mark.parametrize("before", ["plain", "stepped", "confirmed"])
def test_check_mode(stage, side, before):
    """It tells the same as the real run that follows, and changes nothing."""
    if before != "plain":
        stage.ask("stepped", side)
    if before == "confirmed":
        stage.ask("confirmed", side)
    now, lease = stage.observe(), stage.lease()
    planned = stage.ask("stepped", side, check=True)
    assert (stage.observe(), stage.lease()) == (now, lease)
    assert planned.outcome == ("planned" if planned.differs else before)
    real = stage.ask("stepped", side)
    boot = [one for one in planned.differs if one["name"].endswith("99-tfo.conf")]
    assert [one for one in planned.differs if one not in boot] == real.differs
    assert (planned.diff, bool(boot)) == (real.diff, before != "confirmed" and side == "server")


def test_confirm(stage, side):
    """The same drop-in in /etc, the line, no restart; the lease has nothing left to undo."""
    stage.ask("stepped", side)
    pids = dict(stage.host.running)
    result = stage.ask("confirmed", side)
    assert (result.outcome, result.reasons) == ("confirmed", [])
    assert (stage.places(side), stage.flagged(side), stage.host.running) == (["confirmed"], True, pids)
    assert (stage.boot(), stage.lease()["units"]) == ("3" if side == "server" else None, {})
    assert list(_record.load().units) == [UNITS[side]]
    again = stage.ask("confirmed", side)
    assert (again.outcome, again.changed) == ("confirmed", False)
    proven = stage.ask("stepped", side)
    assert (proven.outcome, proven.changed, stage.host.running) == ("confirmed", False, pids)


def test_confirm_is_committed_by_the_lease(stage, side, monkeypatch):
    """Record, line and drop-in are there before the lease lets go: whatever is killed before that is undone."""
    seen = []
    store = _record.store_lease

    def look(lease):
        seen.append((list(_record.load().units), stage.boot(), stage.places(side)))
        store(lease)

    stage.ask("stepped", side)
    monkeypatch.setattr(_record, "store_lease", look)
    stage.ask("confirmed", side)
    assert seen[0] == ([UNITS[side]], "3" if side == "server" else None, ["stepped", "confirmed"])


def test_confirm_without_a_step(stage, side):
    """An error that says what there is."""
    result = stage.ask("confirmed", side)
    assert result.outcome == "refused"
    assert "there is no step to confirm; nothing is kept of one" in result.reasons[0]


def test_confirm_after_the_lease_ended(stage, side):
    """Even where its timer has not come to it yet."""
    stage.ask("stepped", side)
    stage.end_lease()
    assert stage.ask("confirmed", side).outcome == "refused"
    assert stage.places(side) == ["stepped"]


def test_confirm_of_a_service_that_lost_its_flag(stage, side):
    """Somebody took the drop-in away and restarted: that is not what was judged."""
    stage.ask("stepped", side)
    os.unlink(_drop_in.path(UNITS[side], _drop_in.STEPPED))
    stage.host._systemctl("daemon-reload")
    stage.host._systemctl("restart", UNITS[side])
    result = stage.ask("confirmed", side)
    assert result.outcome == "failed"
    assert f"{UNITS[side]} runs without --fast-open" in result.reasons[0]


def test_renewal(stage, side):
    """ExecStart changed below a confirmed drop-in: a step again, so that a reboot or the lease undoes it."""
    stage.ask("present", side)
    template = stage.host.unit_dir / TEMPLATES[side]
    template.write_text(template.read_text().replace(" -c ", " -v -c "))
    stage.host._systemctl("daemon-reload")
    result = stage.ask("stepped", side)
    assert (result.outcome, stage.places(side)) == ("stepped", ["stepped"])
    assert "repeats an older command than" in str(result.differs)
    assert (_record.load().units, stage.boot()) == ({}, None)
    argv = stage.host.processes[stage.host.running[UNITS[side]]].argv
    assert ("-v" in argv, argv[-1]) == (True, "--fast-open")
    assert stage.ask("confirmed", side).outcome == "confirmed"


def test_bit_and_line_changed_by_hand(server):
    """Renewed, and confirmed again."""
    server.ask("present", "server")
    _proc.write_sysctl(_proc.FASTOPEN, "1", str(server.host.root / "proc"))
    (server.host.root / "etc/sysctl.d/99-tfo.conf").unlink()
    result = server.ask("present", "server")
    assert (result.outcome, result.changed) == ("confirmed", True)
    assert (server.host.sysctl(), server.boot()) == ("3", "3")


def test_listener_mode(server):
    """No drop-in: bit 0x400, and a restart, since it works at listen() only."""
    pid = server.host.running[UNITS["server"]]
    result = server.ask("stepped", "server", mode="listener")
    assert (result.outcome, server.places("server"), server.flagged("server")) == ("stepped", [], False)
    assert server.host.sysctl() == "1027"
    assert server.host.running[UNITS["server"]] != pid
    assert server.ask("confirmed", "server", mode="listener").outcome == "confirmed"
    assert server.boot() == "1027"


def test_boot_that_gives_it_already(server):
    """A well-known guide's file, which sorts after ours: no line of ours, and no refusal (field: B5)."""
    server.host.put(server.host.root / "etc/sysctl.d/local.conf", "net.ipv4.tcp_fastopen = 3\n")
    before = server.host.tree()
    assert server.ask("present", "server").outcome == "confirmed"
    added = set(server.host.tree()) - set(before)
    assert added == {_drop_in.path(UNITS["server"], _drop_in.CONFIRMED)}
    assert server.ask("plain", "server", run="").outcome == "plain"
    assert server.host.tree() == before


def test_another_file_would_win_at_boot(server):
    """Said before anything is changed."""
    server.host.put(server.host.root / "etc/sysctl.d/zz.conf", "net.ipv4.tcp_fastopen = 1\n")
    now = server.observe()
    with pytest.raises(_switch.KernelError, match=r"At boot /etc/sysctl.d/zz.conf sets"):
        server.ask("stepped", "server")
    assert server.observe() == now


@pytest.mark.parametrize("verdict", ["no_cookie", "data_refused", "unreachable", "paused"])
def test_client_whose_path_carries_nothing(client, verdict):
    """Skipped with the reason, as it was."""
    client.host.verdicts[8388] = verdict
    result = client.ask("stepped", "client")
    assert (result.outcome, result.changed) == ("skipped", False)
    assert result.reasons[0].startswith(f"{verdict}: ss1 port 8388")
    assert client.observe() == client.plain


def test_planned_servers_are_not_held_against_a_client(client):
    """What they do not do yet is not the path's fault; a lost SYN is."""
    client.host.verdicts[8388] = "no_cookie"
    assert client.ask("stepped", "client", check=True, planned_servers=["ss1"]).outcome == "planned"
    client.host.verdicts[8388] = "syn_dropped"
    assert client.ask("stepped", "client", check=True, planned_servers=["ss1"]).outcome == "skipped"


@pytest.mark.parametrize("verdict", ["fast_open", "no_cookie"])
def test_client_whose_kernel_may_not_send(client, verdict):
    """Its paths can be tried only once 0x1 is there; where they carry nothing it goes back."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    client.host.verdicts[8388] = verdict
    result = client.ask("stepped", "client")
    if verdict == "fast_open":
        assert (result.outcome, client.host.sysctl()) == ("stepped", "1")
        assert client.ask("plain", "client").outcome == "plain"
    else:
        assert (result.outcome, result.changed) == ("skipped", False)
    assert (client.host.sysctl(), client.places("client"), client.flagged("client")) == ("0", [], False)


def test_server_that_never_accepts(server):
    """Failed; it stays under its lease until the run takes it back."""
    server.host.verdicts[8388] = "data_refused"
    result = server.ask("stepped", "server")
    assert result.outcome == "failed"
    assert "does not accept SYN data" in result.reasons[0]
    assert list(server.lease()["units"]) == [UNITS["server"]]


def test_client_without_an_answer(client):
    """The tunnel must answer, and an answer alone proves nothing."""
    client.host.answers = False
    assert "timed out" in client.ask("stepped", "client").reasons[0]


def test_client_whose_syn_data_is_not_acknowledged(client, monkeypatch):
    """Plain TCP answers as well."""
    monkeypatch.setattr(_counters, "read", lambda: {"TCPFastOpenActive": 7})
    result = client.ask("stepped", "client")
    assert (result.outcome, result.reasons) == (
        "failed",
        ["the tunnel answers, but no SYN data of its client was acknowledged"],
    )


def units(fragment):
    """A change of the unit's files."""
    return lambda stage, side: stage.host.put(stage.host.unit_dir / f"{UNITS[side]}.d/{fragment[0]}", fragment[1])


SKIPPED = {
    "a shell": (units(("a.conf", "[Service]\nExecStart=\nExecStart=/bin/sh -c x\n")), "runs 'sh'"),
    "the flag by itself": (
        units(("a.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/ss-local --fast-open\n")),
        "has the flag by ",
    ),
    "another drop-in wins": (
        units(("zzz.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/ss-local -v\n")),
        "zzz.conf sets ExecStart and comes after zz-fastopen.conf",
    ),
    "somebody else's file of our name": (units(("zz-fastopen.conf", "[Service]\nNice=5\n")), "is not ours"),
    "a network namespace": (
        lambda stage, side: stage.host.told.update({UNITS[side]: {"PrivateNetwork": "yes"}}),
        "a network namespace of its own",
    ),
}


@pytest.mark.parametrize(("change", "message"), SKIPPED.values(), ids=SKIPPED)
def test_unit_that_cannot_have_a_drop_in(stage, side, change, message):
    """Skipped by name."""
    change(stage, side)
    stage.host._systemctl("daemon-reload")
    result = stage.ask("stepped", side)
    assert (result.outcome, result.changed) == ("skipped", False)
    assert message in result.reasons[0]
    assert stage.host.sysctl() == "1"


def test_service_that_does_not_run(stage, side):
    """Deploy comes first."""
    stage.host._systemctl("stop", UNITS[side])
    result = stage.ask("stepped", side)
    assert result.outcome == "refused"
    assert "deploy first" in result.reasons[0]


def test_service_behind_a_plugin(stage, side):
    """TFO would cover the loopback hop only."""
    service = {**stage.request(side).services[0], "plugin": "v2ray-plugin"}
    assert stage.ask("stepped", side, services=[service]).outcome == "skipped"


@pytest.mark.parametrize(("by", "outcome"), [("lease", "stepped"), ("guard", "skipped"), ("rollout", "skipped")])
def test_what_was_undone(stage, side, by, outcome):
    """A lease's undo is tried again, others only when told to; a confirmation forgets it."""
    entry = {"side": side, "by": by, "when": "2026-01-01T00:00:00Z", "why": "SYNs lost"}
    _record.store(_record.Record(undone={UNITS[side]: entry}))
    result = stage.ask("stepped", side)
    assert result.outcome == outcome
    if outcome == "skipped":
        said = (
            f"{UNITS[side]}: taken off by {by} at 2026-01-01T00:00:00Z (SYNs lost); -e rollout_retry=true tries again"
        )
        assert result.reasons == [said]
    assert stage.ask("stepped", side, retry=True).outcome == "stepped"
    assert stage.ask("confirmed", side).outcome == "confirmed"
    assert _record.load().undone == {}


def test_role_that_keeps_a_bit_off(stage, side):
    """Its request and the step exclude each other."""
    _record.store(_record.Record(refused=1))
    assert "role tcp_fastopen keeps a bit off" in stage.ask("stepped", side).reasons[0]


def test_record_that_cannot_be_written(stage, side, monkeypatch):
    """A step that could not be remembered does not happen; a confirmation fails and leaves it to the lease."""

    def full(_record_):
        raise OSError(28, "No space left on device")

    stage.ask("stepped", side)
    monkeypatch.setattr(_record, "store", full)
    with pytest.raises(OSError, match="No space"):
        stage.ask("confirmed", side)
    assert (stage.places(side), list(stage.lease()["units"])) == (["stepped"], [UNITS[side]])


def test_password_in_the_command(stage, side):
    """The drop-in has the mode of the strictest file that it repeats, and no result shows the command."""
    own = stage.host.unit_dir / f"{UNITS[side]}.d/own.conf"
    program = "ss-server" if side == "server" else "ss-local"
    config = f"{stage.host.config_dir}/{program}-main.json"
    stage.host.put(own, f"[Service]\nExecStart=\nExecStart=/usr/bin/{program} -k s3cret-marker -c {config}\n", 0o600)
    stage.host._systemctl("daemon-reload")
    for state in ("stepped", "confirmed"):
        assert stage.ask(state, side).outcome == state
    file = _files.read(_drop_in.path(UNITS[side], _drop_in.CONFIRMED))
    assert (file.mode, b"s3cret-marker" in file.content) == (0o600, True)
    assert "s3cret-marker" not in json.dumps(stage.lease())
