# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of the stage, and everything that can come of it."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deployment
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _deployed, _drop_in, _record
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


def test_present_that_is_refused(client):
    """No claim is left by a client that is not eligible."""
    client.host.verdicts[8388] = "no_cookie"
    assert client.ask("present", "client").outcome == "skipped"
    assert (client.lease(), client.host.transient, client.observe()) == ({}, set(), client.plain)


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
    service = {"server": SERVER_SERVICE, "client": CLIENT_SERVICE}[side]
    stage.ask("stepped" if before == "stepped" else "present", side)
    wanted = _deployment.Wanted(side, [{**service, "server_port": 443, "local_port": 80}])
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
    _deployed.deploy(_deployment.Wanted(side, []), check=False)
    assert (_record.load(), stage.host.sysctl(), stage.boot()) == (_record.Record(), "1", None)
    assert stage.places(side) == []


def test_instance_that_came_later_keeps_running(server):
    """A way down of everything stops and removes nothing (field: A13)."""
    server.ask("present", "server")
    later = {**SERVER_SERVICE, "name": "later", "server_port": 8389}
    _deployed.deploy(_deployment.Wanted("server", [SERVER_SERVICE, later]), check=False)
    pid = server.host.running["ss-server@later.service"]
    assert server.ask("plain", "server", run="", memory="forget").outcome == "plain"
    assert server.host.running["ss-server@later.service"] == pid
    assert (server.host.config_dir / "ss-server-later.json").exists()
