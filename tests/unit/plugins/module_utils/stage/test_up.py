# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step and its proof, also where it was confirmed before. Killed calls are in test_killed.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _proc, _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record, _requests

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


def test_order(stage, side, monkeypatch):
    """Timer, lease, kernel, drop-in, restart; and confirming: record, line, drop-in, lease. Nothing restarts then."""
    order = []

    def tell(module, name, said):
        real = getattr(module, name)

        def call(*arguments, **keywords):
            told = said(*arguments)
            if told and told not in order[-1:]:
                order.append(told)
            return real(*arguments, **keywords)

        monkeypatch.setattr(module, name, call)

    tell(_systemd, "run_transient", lambda *_words: "timer")
    tell(_record, "store_lease", lambda _lease: "lease")
    tell(_switch, "write", lambda value: value.after != value.before and "kernel")
    tell(_drop_in, "write", lambda _unit, folder, *_rest: "/run" if folder == _drop_in.STEPPED else "/etc")
    tell(_systemd, "systemctl", lambda verb, *_rest: verb if verb in ("restart", "daemon-reload") else "")
    stage.ask("stepped", side)
    kernel = ["kernel"] if side == "server" else []
    assert order == ["timer", "lease", *kernel, "/run", "daemon-reload", "restart"]
    order.clear()
    tell(_record, "store", lambda _record_: "record")
    tell(_switch, "persist", lambda boot: boot.files and "line")
    stage.ask("confirmed", side)
    line = ["line"] if side == "server" else []
    assert order[: 3 + len(line)] == ["record", *line, "/etc", "lease"]
    assert "restart" not in order


def test_condition_that_does_not_hold_any_more(stage, side):
    """A restart would stop the service for good, so nothing is touched."""
    stage.host.unmet.add(UNITS[side])
    for check in (True, False):
        result = stage.ask("stepped", side, check=check)
        assert (result.outcome, stage.observe()) == ("skipped", stage.plain)
        assert "ConditionPathExists=/run/x" in result.reasons[0]


def test_condition_of_a_server_that_is_restarted_for_its_proof(server):
    """It is as confirmed, and its packets say otherwise: it is not stopped for that."""
    server.ask("present", "server")
    server.host.unmet.add(UNITS["server"])
    server.host.verdicts[8388] = "data_refused"
    pids = dict(server.host.running)
    result = server.ask("stepped", "server", run="run2")
    assert (result.outcome, server.host.running) == ("failed", pids)


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


def test_drop_in_edited_by_hand(stage, side):
    """It has our mark, so it is ours: named, and put right."""
    stage.ask("present", side)
    path = Path(_drop_in.path(UNITS[side], _drop_in.CONFIRMED))
    path.write_text(path.read_text().replace(" --fast-open", " -v --fast-open"))
    stage.host._systemctl("daemon-reload")
    result = stage.ask("stepped", side)
    assert (result.outcome, [one["why"] for one in result.differs]) == ("stepped", ["was edited by hand"])
    assert stage.ask("confirmed", side).outcome == "confirmed"
    assert "-v" not in path.read_text()


def test_process_older_than_its_drop_in(stage, side):
    """Killed before the restart: restarted, although no file differs."""
    stage.ask("stepped", side)
    stage.host.processes[stage.host.running[UNITS[side]]].argv.remove("--fast-open")
    result = stage.ask("stepped", side)
    assert [one["why"] for one in result.differs] == ["is newer than its process"]
    assert (result.outcome, stage.flagged(side)) == ("stepped", True)


@pytest.mark.parametrize(("value", "line"), [("1", False), ("1", True), ("3", False)])
def test_bit_or_line_changed_by_hand(server, value, line):
    """Renewed, and confirmed again; nothing restarts for it."""
    server.ask("present", "server")
    pids = dict(server.host.running)
    _proc.write_sysctl(_proc.FASTOPEN, value, str(server.host.root / "proc"))
    if not line:
        (server.host.root / "etc/sysctl.d/99-tfo.conf").unlink()
    result = server.ask("present", "server")
    assert (result.outcome, result.changed) == ("confirmed", True)
    assert [one["what"] for one in result.differs] == ["kernel"] * (value == "1") + ["file"] * (not line)
    assert (server.host.sysctl(), server.boot(), server.host.running) == ("3", "3", pids)


def test_listener_mode(server):
    """No drop-in: bit 0x400, and a restart, since it works at listen() only."""
    pid = server.host.running[UNITS["server"]]
    result = server.ask("stepped", "server", mode="listener")
    assert (result.outcome, server.places("server"), server.flagged("server")) == ("stepped", [], False)
    assert server.host.sysctl() == "1027"
    assert server.host.running[UNITS["server"]] != pid
    assert server.ask("confirmed", "server", mode="listener").outcome == "confirmed"
    assert server.boot() == "1027"
    pid = server.host.running[UNITS["server"]]
    down = server.ask("plain", "server", run="")
    assert (down.outcome, server.observe()) == ("plain", server.plain)
    assert {"what": "service", "name": UNITS["server"], "why": "listens with bit 0x400"} in down.differs
    assert server.host.running[UNITS["server"]] != pid


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_service_that_leaves_listener_mode(server, state):
    """The bit for all listeners goes with it, and the plan says so."""
    server.ask(state, "server", mode="listener")
    planned = server.ask("stepped", "server", check=True)
    assert ("kernel", "is 1027, not 3") in [(one["what"], one["why"]) for one in planned.differs]
    assert "net.ipv4.tcp_fastopen = 3\n" in [one["after"] for one in planned.diff]
    result = server.ask("stepped", "server")
    told = [
        [one for one in some.differs if one["what"] != "file"] for some in (planned, result)
    ]  # the line comes later
    assert (result.outcome, server.host.sysctl(), told[0]) == ("stepped", "3", told[1])


@pytest.mark.parametrize("value", ["0", "2", "1024"])
def test_listener_on_a_kernel_that_may_not_send(server, value):
    """The service itself needs no 0x1, the host's own fast open that proves it does: it comes with the step and goes with it."""
    _proc.write_sysctl(_proc.FASTOPEN, value, str(server.host.root / "proc"))
    result = server.ask("present", "server", mode="listener")
    assert (result.outcome, result.reasons) == ("confirmed", [])
    assert (server.host.sysctl(), server.boot()) == ("1027", "1027")
    assert server.ask("stepped", "server", mode="listener", run="run2").outcome == "confirmed"
    assert server.ask("plain", "server", run="").outcome == "plain"
    assert (server.host.sysctl(), server.boot()) == (value, None)


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_listener_mode_again(server, state):
    """Proven again; its connections are not cut."""
    server.ask("stepped", "server", mode="listener")
    server.ask(state, "server", mode="listener")
    pids = dict(server.host.running)
    result = server.ask("stepped", "server", mode="listener")
    assert (result.outcome, result.differs, server.host.running) == (state, [], pids)


def test_listener_older_than_its_bit(server, monkeypatch):
    """Somebody set 0x400 after it had begun to listen: one restart more, and it accepts."""
    verdicts = ["data_refused", "fast_open"]
    _proc.write_sysctl(_proc.FASTOPEN, "1027", str(server.host.root / "proc"))
    monkeypatch.setattr(
        _path, "probe", lambda host, port, attempts, ipv6_first=False: {"port": port, "verdict": verdicts.pop(0)}
    )
    result = server.ask("stepped", "server", mode="listener")
    assert (result.outcome, result.reasons, verdicts) == ("stepped", [], [])
    assert [line for line in server.host.done if line.startswith("restart")] == [f"restart {UNITS['server']}"]


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


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_kernel_that_cannot_be_set(server, monkeypatch, state):
    """A container's read-only /proc/sys: said what to do, and nothing runs otherwise than before."""

    def refuse(*_arguments):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(_proc, "write_sysctl", refuse)
    with pytest.raises(_switch.KernelError, match="/proc/sys/net must be writable"):
        server.ask(state, "server")
    assert server.observe() == server.plain


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


@pytest.mark.parametrize(("mode", "asked"), [("flag", 1), ("listener", 0)])
def test_server_under_the_flag_is_asked(server, monkeypatch, mode, asked):
    """Its SYN may be taken while every connection fails (shadowsocks-rust): a request tells, and without an answer it fails."""
    seen = []

    def served(services, url):
        seen.append((len(services), url))
        return [], ["http://origin/ does not answer through main"] * len(services)

    monkeypatch.setattr(_requests, "answering", lambda services, url: services)
    monkeypatch.setattr(_requests, "served", served)
    result = server.ask("stepped", "server", mode=mode, probe_url="http://origin/")
    assert (result.outcome, seen) == ("failed" if asked else "stepped", [(asked, "http://origin/")])


def test_record_follows_the_inventory(client):
    """What is confirmed and unchanged is not touched, but where it listens is kept for the way down."""
    client.ask("present", "client")
    record = _record.load()
    record.units[UNITS["client"]]["port"] = 1
    _record.store(record)
    client.host.done.clear()
    assert client.ask("stepped", "client", run="run2").outcome == "confirmed"
    assert _record.load().units[UNITS["client"]]["port"] == 1080
    assert not any("restart" in line for line in client.host.done)
