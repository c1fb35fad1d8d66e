# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way down, on a host in memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel, _proc, _ss_processes
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _host, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _record, _request, _stage

SERVICE = {
    "program": "ss-server",
    "name": "main",
    "server": ["::", "0.0.0.0"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": "s3cret-marker",
    "mode": "tcp_only",
}
LOCAL = {**SERVICE, "program": "ss-local", "server": ["203.0.113.7"], "local_address": "127.0.0.1", "local_port": 1080}
KERNEL = {"accept": True, "send": True}
UP = {
    "server": _request.Request(_host.Wanted("server", [SERVICE], fast_open=True), "shadowsocks-libev", KERNEL),
    "client": _request.Request(
        _host.Wanted("client", [LOCAL], fast_open=True), "shadowsocks-libev", KERNEL, probe_url="http://origin/"
    ),
}
DOWN = {side: dataclasses.replace(request, wanted=_host.Wanted(side, []), kernel=None) for side, request in UP.items()}
UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
SIDES = pytest.mark.parametrize("side", ["server", "client"])


def argv(host, side):
    """The arguments of the side's process."""
    return host.processes[host.running[UNITS[side]]].argv


@SIDES
def test_plain(fake_host, side):
    """Configs stay, the flag goes, the kernel is what it was; the snapshot stays for a later restore."""
    _stage.converge(UP[side], check=False)
    assert fake_host.sysctl() == "3"
    fake_host.done.clear()
    result = _down.plain(DOWN[side], check=False)
    assert (result.outcome, result.changed, result.reasons) == ("proven", True, [])
    assert fake_host.done == ["daemon-reload", f"reset-failed {UNITS[side]}", f"restart {UNITS[side]}"]
    assert "--fast-open" not in argv(fake_host, side)
    assert fake_host.sysctl() == "1"
    assert _record.read_stage(side) == {"stage": "off"}
    assert _record.snapshot(side) is not None
    assert "s3cret-marker" not in str((result.diff, result.differs))
    again = _down.plain(DOWN[side], check=False)
    assert (again.outcome, again.changed) == ("proven", False)


@SIDES
def test_plain_in_check_mode(fake_host, side):
    """Tells the same and changes nothing."""
    _stage.converge(UP[side], check=False)
    before = fake_host.tree()
    fake_host.done.clear()
    planned = _down.plain(DOWN[side], check=True)
    assert (fake_host.tree(), fake_host.done, fake_host.sysctl()) == (before, [], "3")
    real = _down.plain(DOWN[side], check=False)
    assert (planned.changed, planned.differs, planned.diff) == (real.changed, real.differs, real.diff)


@SIDES
@pytest.mark.parametrize("step", ["daemon-reload", "reset-failed", "restart"])
def test_plain_killed_on_its_way(fake_host, monkeypatch, side, step):
    """Before any of its calls of systemctl: the next run ends with a process without the flag."""
    _stage.converge(UP[side], check=False)
    systemctl = _systemd.systemctl

    def killed(*arguments):
        if arguments[0] == step:
            raise KeyboardInterrupt
        return systemctl(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_systemd, "systemctl", killed)
        with pytest.raises(KeyboardInterrupt):
            _down.plain(DOWN[side], check=False)
    assert "--fast-open" in argv(fake_host, side)
    result = _down.plain(DOWN[side], check=False)
    assert (result.outcome, result.changed) == ("proven", True)
    assert "--fast-open" not in argv(fake_host, side)


def test_process_that_still_runs_with_the_flag(fake_host):
    """The unit was mended by hand, the process was not restarted."""
    _stage.converge(UP["client"], check=False)
    template = fake_host.unit_dir / "ss-local@.service"
    fake_host.put(template, template.read_text().replace(" --fast-open", ""))
    fake_host._systemctl("daemon-reload")
    result = _down.plain(DOWN["client"], check=False)
    assert result.differs == [{"what": "service", "name": UNITS["client"], "why": "runs with --fast-open"}]
    assert "--fast-open" not in argv(fake_host, "client")


def test_failed_services_come_back(fake_host):
    """It died for want of bit 0x1 until systemd gave up; plain traffic must pass again."""
    _stage.converge(UP["client"], check=False)
    fake_host._stop(UNITS["client"])
    fake_host.failed.add(UNITS["client"])
    result = _down.plain(DOWN["client"], check=False)
    assert {"what": "service", "name": UNITS["client"], "why": "is failed"} in result.differs
    assert "--fast-open" not in argv(fake_host, "client")


def test_stopped_services_stay_stopped(fake_host):
    """Somebody stopped it on purpose; its unit is made plain all the same."""
    _stage.converge(UP["client"], check=False)
    fake_host._systemctl("disable", "--now", UNITS["client"])
    _down.plain(DOWN["client"], check=False)
    assert UNITS["client"] not in fake_host.running
    assert "--fast-open" not in (fake_host.unit_dir / "ss-local@.service").read_text()


def test_plain_without_an_answer(fake_host):
    """Plain traffic must be proven; the units are plain all the same."""
    _stage.converge(UP["client"], check=False)
    fake_host.answers = False
    result = _down.plain(DOWN["client"], check=False)
    assert (result.outcome, len(result.reasons)) == ("unproven", 1)
    assert "--fast-open" not in argv(fake_host, "client")


@pytest.mark.parametrize("way", [_down.plain, _down.restore], ids=["plain", "restored"])
def test_kernel_stays_while_the_other_side_needs_it(fake_host, way):
    """A host may be both; the last one down takes the kernel along."""
    for side in ("server", "client"):
        _stage.converge(UP[side], check=False)
    way(DOWN["client"], check=False)
    assert fake_host.sysctl() == "3"
    assert "--fast-open" in argv(fake_host, "server")
    way(DOWN["server"], check=False)
    assert fake_host.sysctl() == "1"


@SIDES
def test_restore_of_a_virgin_host(fake_host, side):
    """Byte for byte, the group and the package's own server included."""
    before, running = fake_host.tree(), dict(fake_host.running)
    _stage.converge(UP[side], check=False)
    assert fake_host.tree() != before
    result = _down.restore(DOWN[side], check=False)
    assert (result.changed, result.package) == (True, "kept")
    assert fake_host.tree() == before
    assert set(fake_host.running) == set(running)
    assert (fake_host.group, fake_host.sysctl()) == (None, "1")
    assert not fake_host.state_dir.exists()
    again = _down.restore(DOWN[side], check=False)
    assert (again.changed, again.package) == (False, "kept")


def test_restore_after_plain(fake_host):
    """The one does not stand in the way of the other."""
    before = fake_host.tree()
    _stage.converge(UP["client"], check=False)
    _down.plain(DOWN["client"], check=False)
    _down.restore(DOWN["client"], check=False)
    assert fake_host.tree() == before


def test_restore_in_check_mode(fake_host):
    """Says that it would change, and does not."""
    _stage.converge(UP["server"], check=False)
    before = fake_host.tree()
    fake_host.done.clear()
    assert _down.restore(DOWN["server"], check=True).changed is True
    assert (fake_host.tree(), fake_host.done) == (before, [])
    assert _record.snapshot("server") is not None


@SIDES
@pytest.mark.parametrize("way", [_down.plain, _down.restore])
def test_check_mode_where_the_kernel_goes_back_to_no_bits(fake_host, monkeypatch, side, way):
    """The side's own processes end before 0x1 goes; a process of somebody else is in the way, in both runs."""
    Path(_proc.sysctl_path(_proc.FASTOPEN, str(fake_host.root / "proc"))).write_text("0\n", encoding="ascii")

    def find(_proc):
        pids = [pid for pid in fake_host.running.values() if "--fast-open" in fake_host.processes[pid].argv]
        return [_ss_processes.FastOpenProcess(pid, "ours", "--fast-open in its arguments") for pid in pids + others]

    others = []
    monkeypatch.setattr(_ss_processes, "find", find)
    _stage.converge(UP[side], check=False)
    assert fake_host.sysctl() == "3"
    assert way(DOWN[side], check=True).changed is True
    others.append(7)
    with pytest.raises(_kernel.KernelError, match=r"ours \(pid 7\)"):
        way(DOWN[side], check=True)
    others.clear()
    assert way(DOWN[side], check=False).changed is True
    assert fake_host.sysctl() == "0"


def test_restore_of_a_deployed_host(fake_host):
    """Ours before TFO went on: back to plain units, with the configs of by now."""
    wanted = dataclasses.replace(UP["server"].wanted, fast_open=None)
    _stage.converge(dataclasses.replace(UP["server"], wanted=wanted, kernel=None), check=False)
    before = fake_host.tree()
    _stage.converge(UP["server"], check=False)
    config = fake_host.config_dir / "ss-server-main.json"
    assert "--fast-open" in argv(fake_host, "server")
    fake_host.put(config, config.read_text().replace("s3cret-marker", "changed meanwhile"), 0o640)
    _down.restore(DOWN["server"], check=False)
    after = fake_host.tree()
    assert b"changed meanwhile" in after.pop(str(config))
    del before[str(config)]
    assert after == before
    assert "--fast-open" not in argv(fake_host, "server")


def deployed(side):
    """The same side as `deploy` leaves it: ours, TFO as it is."""
    request = UP[side]
    return dataclasses.replace(request, wanted=dataclasses.replace(request.wanted, fast_open=None), kernel=None)


@SIDES
def test_restore_revives_failed_services(fake_host, side):
    """They died for want of bit 0x1 until systemd gave up; stopped ones stay stopped."""
    _stage.converge(deployed(side), check=False)
    _stage.converge(UP[side], check=False)
    fake_host._stop(UNITS[side])
    fake_host.failed.add(UNITS[side])
    _down.restore(DOWN[side], check=False)
    assert "--fast-open" not in argv(fake_host, side)


def test_restore_without_an_answer(fake_host):
    """Plain traffic must be proven here too; until it is, the snapshot stays and the next run says it again."""
    _stage.converge(deployed("client"), check=False)
    _stage.converge(UP["client"], check=False)
    fake_host.answers = False
    for _run in range(2):
        result = _down.restore(DOWN["client"], check=False)
        assert (result.outcome, len(result.reasons)) == ("unproven", 1)
        assert "--fast-open" not in argv(fake_host, "client")
    fake_host.answers = True
    assert _down.restore(DOWN["client"], check=False).outcome == "proven"
    assert _record.snapshot("client") is None


def test_deploying_anew_keeps_the_snapshot(fake_host):
    """Rollout on a virgin host, rollback to plain, another config: what was there first can still be had back."""
    before = fake_host.tree()
    _stage.converge(UP["server"], check=False)
    _down.plain(DOWN["server"], check=False)
    changed = deployed("server")
    service = {**SERVICE, "server_port": 8389}
    _stage.converge(
        dataclasses.replace(changed, wanted=dataclasses.replace(changed.wanted, services=[service])), check=False
    )
    _down.restore(DOWN["server"], check=False)
    assert fake_host.tree() == before


def test_restore_keeps_what_others_put_there(fake_host):
    """A config of somebody else keeps the folder and the group."""
    fake_host.put(fake_host.config_dir / "mine.json", "{}")
    fake_host.group = 990
    before = fake_host.tree()
    _stage.converge(UP["server"], check=False)
    _down.restore(DOWN["server"], check=False)
    assert (fake_host.tree(), fake_host.group) == (before, 990)


def test_restore_keeps_a_group_that_was_there(fake_host):
    """Some other package made it, without the folder."""
    fake_host.group = 990
    _stage.converge(UP["server"], check=False)
    _down.restore(DOWN["server"], check=False)
    assert (fake_host.group, fake_host.config_dir.exists()) == (990, False)


@pytest.mark.parametrize(("enabled", "active"), [(True, True), (True, False), (False, True)])
def test_restore_of_somebody_elses_unit(fake_host, enabled, active):
    """Its text, whether it ran and whether it starts at boot are as they were."""
    unit = UNITS["server"]
    fake_host.put(fake_host.config_dir / "mine.json", '{"server_port": 8388}')
    text = f"[Service]\nExecStart=/usr/bin/ss-server -c {fake_host.config_dir}/mine.json\n"
    fake_host.put(fake_host.unit_dir / "ss-server@.service", text)
    if enabled:
        fake_host._systemctl("enable", unit)
    if active:
        fake_host._systemctl("start", unit)
    before = fake_host.tree()
    _stage.converge(UP["server"], check=False)
    _down.restore(DOWN["server"], check=False)
    assert fake_host.tree() == before
    assert (unit in fake_host.running) is active
    if active:
        assert argv(fake_host, "server")[-1].endswith("mine.json")


def test_package_that_was_not_there(fake_host):
    """The role may remove it again."""
    version, fake_host.version = fake_host.version, None
    _stage.keep(UP["server"], check=False)
    fake_host.version = version
    _stage.converge(UP["server"], check=False)
    for _killed_before_it_was_removed in range(2):
        assert _down.restore(DOWN["server"], check=False).package == "absent"
    fake_host.version = None
    assert _down.restore(DOWN["server"], check=False).package == "kept"
    assert _record.snapshot("server") is None
    assert _down.restore(DOWN["server"], check=False).changed is False
