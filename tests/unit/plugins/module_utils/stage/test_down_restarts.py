# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way down interrupts nobody without need, brings back what a restart of ours has left down, and takes no bit from a process
that needs it."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc, _ss_processes
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._others import OWN, ask, restarts, serve

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def test_process_that_never_got_the_flag(stage, side):
    """A step that was killed before its restart: everything goes, and its users keep their connections."""
    stage.ask("stepped", side)
    process = stage.host.processes[stage.host.running[UNITS[side]]]
    process.argv.remove("--fast-open")
    (stage.host.root / f"proc/{stage.host.running[UNITS[side]]}/cmdline").write_text("\0".join(process.argv))
    stage.host.done.clear()
    planned = stage.ask("plain", side, run="", check=True)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, stage.places(side), restarts(stage)) == ("plain", [], [])
    assert planned.differs == result.differs


def test_bit_under_a_process_that_was_not_restarted(client, monkeypatch):
    """systemd did not answer, so it runs on with the flag, and would exit without 0x1: that goes when the flag has gone."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    client.ask("present", "client")
    systemctl = client.host._systemctl
    refused = (1, "Failed to restart: Connection timed out")
    with monkeypatch.context() as patch:
        patch.setattr(
            client.host, "_systemctl", lambda verb, *rest: refused if verb == "restart" else systemctl(verb, *rest)
        )
        result = client.ask("plain", "client", run="")
    assert (result.outcome, client.flagged("client"), client.host.sysctl()) == ("failed", True, "1")
    assert client.ask("plain", "client", run="").outcome == "plain"
    assert (client.flagged("client"), client.host.sysctl()) == (False, "0")


def test_process_that_ends_meanwhile(stage, side, monkeypatch):
    """systemd has named it, and it has died and was started anew, plain, before anybody looked at it: that is enough."""
    stage.ask("present", side)
    stage.host.done.clear()
    named = stage.host.running[UNITS[side]]

    def dies(pid, proc="/proc"):
        if pid == named == stage.host.running[UNITS[side]]:
            stage.host._stop(UNITS[side])
            stage.host._start(UNITS[side])
        return stage.host.process(pid, proc)

    monkeypatch.setattr(_process, "read", dies)
    result = stage.ask("plain", side, run="")
    assert (result.outcome, result.reasons, restarts(stage)) == ("plain", [], [])
    assert stage.observe() == stage.plain


def test_flag_of_its_owner(others):
    """A restart would start it with the same flag again: only the bits are ours, and they go without one."""
    serve(others, OWN, " --fast-open")
    ask(others, "present", OWN)
    others.host.done.clear()
    result = ask(others, "plain", OWN, run="")
    assert (result.outcome, restarts(others), others.host.sysctl()) == ("plain", [], "1")


def test_service_that_our_own_restart_has_left_down(stage, side):
    """It looks like one that its owner has stopped, and is started again: plain where it can be, else nobody calls it so."""
    stage.host.unmet.add(UNITS[side])
    stage.host.mute = True
    assert stage.ask("stepped", side).outcome == "failed"
    assert UNITS[side] not in stage.host.running
    down = stage.ask("plain", side)
    assert (down.outcome, f"{UNITS[side]} does not come up" in "; ".join(down.reasons)) == ("failed", True)


def test_service_that_our_own_restart_has_left_down_and_that_can_start(stage, side):
    """The way down brings it back."""
    stage.host.unmet.add(UNITS[side])
    stage.host.mute = True
    assert stage.ask("stepped", side).outcome == "failed"
    stage.host.unmet.clear()
    assert stage.ask("plain", side).outcome == "plain"
    assert (UNITS[side] in stage.host.running, stage.flagged(side)) == (True, False)


def test_bits_that_were_there_before_stay(server):
    """Only what we raised goes back."""
    _proc.write_sysctl(_proc.FASTOPEN, "3", str(server.host.root / "proc"))
    server.ask("stepped", "server")
    server.ask("plain", "server")
    assert server.host.sysctl() == "3"


def test_bit_that_another_process_needs(client, monkeypatch):
    """0x1 stays under it, and that is said; it is no failure."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    client.ask("stepped", "client")
    other = _ss_processes.FastOpenProcess(7, "sslocal", "fast_open is true in /x")
    monkeypatch.setattr(_ss_processes, "find", lambda proc: [other])
    result = client.ask("plain", "client")
    assert (result.outcome, client.host.sysctl()) == ("plain", "1")
    assert "sslocal (pid 7)" in result.reasons[0]
    assert client.ask("released", "client").outcome == "released"
    monkeypatch.setattr(_ss_processes, "find", lambda proc: [])
    assert client.ask("plain", "client", run="").outcome == "plain"
    assert (client.host.sysctl(), client.host.state_dir.exists()) == ("0", False)  # known as ours until then


def test_bit_that_the_service_itself_needs_until_it_restarts(client):
    """Check mode tells that it goes: by then that process has ended."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    client.ask("stepped", "client")
    planned = client.ask("plain", "client", check=True)
    real = client.ask("plain", "client")
    assert (planned.differs, planned.reasons) == (real.differs, real.reasons)
    assert ("kernel", client.host.sysctl()) == (real.differs[-1]["what"], "0")
