# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A side brought to its stage on a host in memory: real files, real kernel code, no packet."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _host
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record, _request, _stage

MARKER = "s3cret-marker"
SERVICE = {
    "program": "ss-server",
    "name": "main",
    "server": ["::", "0.0.0.0"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": MARKER,
    "mode": "tcp_only",
}
LOCAL = {
    **SERVICE,
    "program": "ss-local",
    "server": ["203.0.113.7"],
    "server_host": "ss1",
    "local_address": "127.0.0.1",
    "local_port": 1080,
}
SERVER = _request.Request(
    _host.Wanted("server", [SERVICE], fast_open=True), "shadowsocks-libev", {"accept": True, "send": True}
)
CLIENT = _request.Request(
    _host.Wanted("client", [LOCAL], fast_open=True), "shadowsocks-libev", {"send": True}, probe_url="http://origin/"
)
SERVER_UNIT, CLIENT_UNIT = "ss-server@main.service", "ss-local@main.service"


def asks(request: _request.Request, **change) -> _request.Request:
    """The request with something else wanted."""
    return dataclasses.replace(request, wanted=dataclasses.replace(request.wanted, **change))


@pytest.mark.parametrize(("request_", "stage"), [(SERVER, "accept"), (CLIENT, "send")], ids=["server", "client"])
def test_up(fake_host, request_, stage):
    """Proven, kept as confirmed with a snapshot; and the second time nothing changes."""
    result = _stage.converge(request_, check=False)
    assert (result.outcome, result.changed, result.reasons) == ("proven", True, [])
    kept = _record.read_stage(request_.wanted.side)
    assert (kept["stage"], kept["confirmed"], kept["fingerprint"]) == (stage, True, request_.fingerprint)
    assert _record.snapshot(request_.wanted.side) is not None
    assert MARKER not in str((result.differs, result.diff, result.reasons))
    fake_host.done.clear()
    again = _stage.converge(request_, check=False)
    assert (again.outcome, again.changed, again.differs, again.diff, fake_host.done) == ("proven", False, [], [], [])


def test_kernel_comes_before_the_service(fake_host, monkeypatch):
    """Without bit 0x1 a service with its flag dies at the first connection."""
    seen = []
    monkeypatch.setattr(_apply, "apply", lambda *_plan: seen.append(fake_host.sysctl()))
    _stage.converge(SERVER, check=False)
    assert seen == ["3"]


@pytest.mark.parametrize("request_", [SERVER, CLIENT], ids=["server", "client"])
def test_check_mode_tells_the_same_and_changes_nothing(fake_host, request_):
    """Differences and diff are those of the real run that follows."""
    before = fake_host.tree()
    planned = _stage.converge(request_, check=True)
    assert (planned.outcome, planned.changed) == ("planned", True)
    assert (fake_host.tree(), fake_host.done, fake_host.sysctl()) == (before, [], "1")
    assert not fake_host.state_dir.exists()
    real = _stage.converge(request_, check=False)
    assert (planned.differs, planned.diff) == (real.differs, real.diff)
    assert _stage.converge(request_, check=True).outcome == "kept"


def test_server_that_accepts_after_a_restart_only(fake_host, monkeypatch):
    """The kernel's 0x400 works at listen(): a process that is older gets restarted, which is a change."""
    _stage.converge(SERVER, check=False)
    fake_host.done.clear()
    monkeypatch.setattr(
        fake_host, "verdicts", type("Once", (), {"get": lambda _s, _p, ok: ok if fake_host.done else "data_refused"})()
    )
    result = _stage.converge(SERVER, check=False)
    assert (result.outcome, result.changed) == ("proven", True)
    assert f"restart {SERVER_UNIT}" in fake_host.done


def test_server_that_never_accepts(fake_host):
    """Unproven, said why, and not confirmed: the next run tries again."""
    fake_host.verdicts[8388] = "data_refused"
    result = _stage.converge(SERVER, check=False)
    assert result.outcome == "unproven"
    assert "does not accept SYN data" in result.reasons[0]
    assert _record.read_stage("server")["confirmed"] is False


def test_client_without_an_answer(fake_host):
    """The tunnel must answer."""
    fake_host.answers = False
    result = _stage.converge(CLIENT, check=False)
    assert result.outcome == "unproven"
    assert "timed out" in result.reasons[0]


def test_client_whose_syn_data_is_not_acknowledged(fake_host, monkeypatch):
    """An answer alone proves nothing: plain TCP answers as well."""
    monkeypatch.setattr(_counters, "read", lambda: {"TCPFastOpenActive": 7})
    result = _stage.converge(CLIENT, check=False)
    assert result.outcome == "unproven"
    assert "no SYN data" in result.reasons[0]


@pytest.mark.parametrize("bit", ["1", "0"])
@pytest.mark.parametrize("verdict", ["no_cookie", "syn_dropped", "unreachable"])
def test_client_with_a_bad_path_is_left(fake_host, verdict, bit):
    """As it was, byte for byte, also when the kernel had to be prepared before the path could be judged."""
    fake_host.verdicts[8388] = verdict
    (fake_host.root / "proc/sys/net/ipv4/tcp_fastopen").write_text(f"{bit}\n")
    before = fake_host.tree()
    result = _stage.converge(CLIENT, check=False)
    assert (result.outcome, result.changed) == ("left", False)
    assert result.reasons[0].startswith(verdict)
    assert (fake_host.tree(), fake_host.done, fake_host.sysctl()) == (before, [], bit)
    assert not fake_host.state_dir.exists()


def test_client_that_loses_syns_by_now_goes_back(fake_host):
    """TFO was on and the path has become bad: a second on every connection."""
    _stage.converge(CLIENT, check=False)
    fake_host.verdicts[8388] = "syn_dropped"
    result = _stage.converge(CLIENT, check=False)
    assert (result.outcome, result.changed) == ("reverted", True)
    assert result.reasons[0].startswith("syn_dropped")
    assert "--fast-open" not in fake_host.processes[fake_host.running[CLIENT_UNIT]].argv
    assert _record.read_stage("client") == {"stage": "off"}


@pytest.mark.parametrize("change", [{"plugin": "obfs"}, {"mode": "udp_only"}])
@pytest.mark.parametrize("request_", [SERVER, CLIENT], ids=["server", "client"])
def test_side_that_carries_no_tcp_is_left(fake_host, request_, change):
    """Nothing would be proven by a packet, so nothing is changed."""
    before = fake_host.tree()
    service = {**request_.wanted.services[0], **change}
    for check in (True, False):
        result = _stage.converge(asks(request_, services=[service]), check=check)
        assert (result.outcome, result.changed) == ("left", False)
        assert "no service carries TCP itself" in result.reasons[0]
    assert (fake_host.tree(), fake_host.done) == (before, [])


def test_without_tfo_the_snapshot_stays(fake_host):
    """The side is off, and what was there first can still be had back."""
    _stage.converge(SERVER, check=False)
    _stage.converge(dataclasses.replace(asks(SERVER, fast_open=False), kernel=None), check=False)
    assert _record.read_stage("server") == {"stage": "off"}
    assert _record.snapshot("server") is not None


def test_client_that_goes_back_and_does_not_answer(fake_host):
    """That its path is bad does not hide that plain traffic does not pass either."""
    _stage.converge(CLIENT, check=False)
    fake_host.verdicts[8388] = "syn_dropped"
    fake_host.answers = False
    result = _stage.converge(CLIENT, check=False)
    assert result.outcome == "unproven"
    assert [reason.split(":")[0] for reason in result.reasons] == ["syn_dropped", "http"]


@pytest.mark.parametrize("request_", [SERVER, CLIENT], ids=["server", "client"])
def test_restarts_count_from_a_step_that_is_judged_later(fake_host, request_):
    """Also where nothing had to be restarted; one that nobody judges resets nothing."""
    judged = dataclasses.replace(request_, confirm=False)
    _stage.converge(judged, check=False)
    fake_host.done.clear()
    _stage.converge(judged, check=False)
    assert fake_host.done == [f"reset-failed {SERVER_UNIT if request_ is SERVER else CLIENT_UNIT}"]


def test_client_that_only_gains_nothing_by_now_is_left_on(fake_host):
    """No cookie costs no time, so nothing is restarted for it."""
    _stage.converge(CLIENT, check=False)
    fake_host.done.clear()
    fake_host.verdicts[8388] = "no_cookie"
    assert _stage.converge(CLIENT, check=False).outcome == "left"
    assert fake_host.done == []
    assert _record.read_stage("client")["stage"] == "send"


def test_planned_server_in_check_mode(fake_host):
    """Its paths have no benefit yet, which is not the client's fault."""
    fake_host.verdicts[8388] = "no_cookie"
    assert _stage.converge(CLIENT, check=True).outcome == "left"
    planned = dataclasses.replace(CLIENT, planned_servers=["ss1"])
    assert _stage.converge(planned, check=True).outcome == "planned"


@pytest.mark.parametrize(("request_", "unit"), [(SERVER, SERVER_UNIT), (CLIENT, CLIENT_UNIT)], ids=["server", "client"])
def test_deploy_keeps_the_stage(fake_host, request_, unit):
    """A role that says nothing of fast open changes a password without switching it off, and proves nothing."""
    _stage.converge(request_, check=False)
    service = {**request_.wanted.services[0], "password": "new"}
    deploy = dataclasses.replace(asks(request_, fast_open=None, services=[service]), kernel=None)
    result = _stage.converge(deploy, check=False)
    assert (result.outcome, result.changed) == ("kept", True)
    assert "--fast-open" in fake_host.processes[fake_host.running[unit]].argv
    assert _record.read_stage(request_.wanted.side)["stage"] != "off"
    assert _record.snapshot(request_.wanted.side) is not None


def test_deploy_on_a_virgin_host_takes_no_snapshot(fake_host):
    """The stage stays off, so there is nothing to go back to."""
    deploy = dataclasses.replace(asks(SERVER, fast_open=None), kernel=None)
    assert _stage.converge(deploy, check=False).outcome == "kept"
    assert "--fast-open" not in fake_host.processes[fake_host.running[SERVER_UNIT]].argv
    assert not fake_host.state_dir.exists()
    assert fake_host.sysctl() == "1"


def test_listener_mode(fake_host):
    """0x400 in the kernel and no flag on the server."""
    request = dataclasses.replace(asks(SERVER, flag=False), kernel={**SERVER.kernel, "all_listeners": True})
    assert _stage.converge(request, check=False).outcome == "proven"
    assert fake_host.sysctl() == str(0x403)
    assert "--fast-open" not in fake_host.processes[fake_host.running[SERVER_UNIT]].argv


def test_service_that_dies_is_no_stage(fake_host):
    """The failure is reported, nothing is called proven, and the next run mends it."""
    fake_host.broken.add(SERVER_UNIT)
    with pytest.raises(_apply.ApplyError, match="last words"):
        _stage.converge(SERVER, check=False)
    assert _record.read_stage("server") == {"stage": "off"}
    fake_host.broken.clear()
    assert _stage.converge(SERVER, check=False).outcome == "proven"


@pytest.mark.parametrize("step", range(6))
def test_killed_run_is_run_again(fake_host, monkeypatch, step):
    """Whichever command was the last one of the first run."""
    real, count = fake_host.run, []

    def die(command, **options):
        if command[0] in ("systemctl", "groupadd") and "show" not in command:
            count.append(command)
            if len(count) > step:
                raise KeyboardInterrupt
        return real(command, **options)

    monkeypatch.setattr("subprocess.run", die)
    with pytest.raises(KeyboardInterrupt):
        _stage.converge(SERVER, check=False)
    monkeypatch.setattr("subprocess.run", real)
    assert _stage.converge(SERVER, check=False).outcome == "proven"
    assert _stage.converge(SERVER, check=False).changed is False
    assert _record.snapshot("server")["deployed"] is False


def test_stage_that_is_confirmed_later(fake_host):
    """A rollout judges the wave first; a run that was killed before that judges it again."""
    _stage.confirm(CLIENT, check=False)
    assert _record.read_stage("client") == {"stage": "off"}
    unjudged = dataclasses.replace(CLIENT, confirm=False)
    assert _stage.converge(unjudged, check=False).outcome == "proven"
    assert _record.read_stage("client")["confirmed"] is False
    _stage.confirm(unjudged, check=True)
    assert _record.read_stage("client")["confirmed"] is False
    _stage.confirm(unjudged, check=False)
    kept = _record.read_stage("client")
    assert (kept["stage"], kept["confirmed"], kept["fingerprint"]) == ("send", True, CLIENT.fingerprint)


def test_keep_takes_a_snapshot_once(fake_host):
    """Before the package is installed."""
    fake_host.version, fake_host.packaged = None, False
    fake_host.running.clear()
    assert _stage.keep(SERVER, check=True).changed is True
    assert _record.snapshot("server") is None
    assert _stage.keep(SERVER, check=False).changed is True
    assert _record.snapshot("server")["package"] is None
    assert _stage.keep(SERVER, check=False).changed is False
