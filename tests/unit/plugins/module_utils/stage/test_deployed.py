# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment over a service under TFO: one that fails, and one that gives a client another server."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _observe, _owned, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _deployed, _record
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def in_rust(stage, side):
    """The same service, run by another program."""
    return _observe.Wanted(side, [{**one, "implementation": "rust"} for one in stage.request(side).services])


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_service_that_does_not_come_up(stage, side, state):
    """Everything is as it was."""
    stage.ask("stepped", side)
    stage.ask(state, side)
    before = stage.observe()
    stage.host.broken.add(UNITS[side])
    with pytest.raises(_apply.ApplyError, match="does not come up"):
        _deployed.deploy(in_rust(stage, side), check=False)
    stage.host.broken.clear()
    stage.host._systemctl("restart", UNITS[side])
    assert stage.observe() == before


def test_systemd_that_goes_down(stage, side, monkeypatch):
    """By then it does not even show which files a unit has."""
    for state in ("stepped", "confirmed"):
        assert stage.ask(state, side).outcome == state
    before = stage.host.tree()
    run, down = _systemd._run, []

    def refuses(command):
        down.extend(word for word in command if word == "daemon-reload")
        if down:
            raise _systemd.SystemdError("Transport endpoint is not connected")
        return run(command)

    with monkeypatch.context() as patch, pytest.raises(_apply.ApplyError, match="Transport endpoint"):
        patch.setattr(_systemd, "_run", refuses)
        _deployed.deploy(in_rust(stage, side), check=False)
    assert stage.host.tree() == before


MOVED = {**CLIENT_SERVICE, "server_host": "ss2", "server": ["203.0.113.8"], "server_port": 443}
GETS = "ss-local@main.service gets another server: TCP Fast Open stays on where the path there carries it"


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_client_that_gets_another_server(client, state):
    """Where the path there carries TFO it stays on, with one restart; the guard watches that path from then on, and a rollout
    judges the client again."""
    client.ask(state, "client")
    wanted = _observe.Wanted("client", [MOVED])
    planned = _deployed.deploy(wanted, check=True)
    client.host.done.clear()
    result = _deployed.deploy(wanted, check=False)
    assert (result.steps, result.taken_off, client.flagged("client")) == (planned.steps, [], True)
    assert GETS in result.steps
    assert [line for line in client.host.done if line.startswith("restart")] == ["restart ss-local@main.service"]
    kept = {**_record.load().units, **client.lease().get("units", {})}
    assert kept["ss-local@main.service"]["servers"] == [["203.0.113.8", 443]]
    assert _deployed.deploy(wanted, check=False).changed is False
    planned = client.ask("stepped", "client", check=True, services=[MOVED])
    assert [one["why"] for one in planned.differs] == ["has another server or command than it was judged with"]
    client.host.done.clear()
    assert client.ask("stepped", "client", services=[MOVED]).outcome == "stepped"
    assert client.ask("confirmed", "client", services=[MOVED]).outcome == "confirmed"
    assert not [line for line in client.host.done if line.startswith("restart")]
    assert client.ask("stepped", "client", check=True, services=[MOVED]).changed is False


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_client_whose_new_server_is_not_seen_to_accept(client, state):
    """It goes there without TFO, and a rollout may try it again."""
    client.ask(state, "client")
    client.host.verdicts[443] = "syn_dropped"
    wanted = _observe.Wanted("client", [MOVED])
    planned = _deployed.deploy(wanted, check=True)
    assert client.flagged("client")
    result = _deployed.deploy(wanted, check=False)
    assert (result.steps, client.flagged("client"), client.places("client")) == (planned.steps, False, [])
    (line,) = result.taken_off
    assert line.startswith("ss-local@main.service: syn_dropped: ss2 port 443: SYNs with TFO are lost")
    assert _deployed.deploy(wanted, check=False).changed is False
    client.host.verdicts.clear()
    assert client.ask("stepped", "client", services=[MOVED]).outcome == "stepped"


def test_client_whose_deployment_fails_after_that(client):
    """It runs where it ran before, and whoever has to mend the deployment is told that it is plain there."""
    client.ask("present", "client")
    client.host.verdicts[443] = "syn_dropped"
    client.host.broken.add(UNITS["client"])
    with pytest.raises(_apply.ApplyError) as caught:
        _deployed.deploy(_observe.Wanted("client", [MOVED]), check=False)
    assert "does not come up" in str(caught.value)
    assert str(caught.value).endswith(
        "; without TCP Fast Open since its server was to change: ss-local@main.service: syn_dropped: ss2 port 443:"
        " SYNs with TFO are lost, so every connection would take a second longer. The next rollout tries it again"
    )
    assert (client.places("client"), _record.load().units) == ([], {})


def test_client_whose_drop_in_cannot_be_removed(client, monkeypatch):
    """It is immutable, say: nobody is sent with TFO down a path that loses its SYN data."""
    client.ask("present", "client")
    client.host.verdicts[443] = "syn_dropped"
    before = client.host.tree()

    def refuse(_unit, _folder):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch, pytest.raises(_apply.ApplyError) as caught:
        patch.setattr(_deployed._drop_in, "remove", refuse)
        _deployed.deploy(_observe.Wanted("client", [MOVED]), check=False)
    assert str(caught.value).startswith("nothing was deployed: ss-local@main.service cannot be taken off TCP Fast Open")
    assert "zz-fastopen.conf cannot be removed: Operation not permitted" in str(caught.value)
    assert client.host.tree() == before


def test_client_whose_deployment_is_refused(client):
    """It keeps what it has: nothing is changed."""
    client.ask("present", "client")
    client.host.verdicts[443] = "syn_dropped"
    _owned.store({})
    client.host.put(client.host.unit_dir / "ss-local@.service", "[Service]\nExecStart=/usr/bin/ss-local\n")
    before = client.host.tree()
    with pytest.raises(_deployed._deploy.Refused):
        _deployed.deploy(_observe.Wanted("client", [MOVED]), check=False)
    assert (client.host.tree(), client.flagged("client")) == (before, True)


def test_adopted_client_whose_owner_gives_it_another_server(client):
    """Nobody of ours was there: the next rollout sees it."""
    client.ask("present", "client")
    planned = client.ask("stepped", "client", check=True, services=[MOVED])
    assert [one["why"] for one in planned.differs] == ["has another server or command than it was judged with"]


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_service_that_gets_another_program(stage, side, state):
    """It keeps TFO with the new one, and a rollout judges that."""
    stage.ask(state, side)
    wanted = in_rust(stage, side)
    _deployed.deploy(wanted, check=False)
    assert stage.flagged(side)
    change = {"services": wanted.services, "mode": "flag" if side == "server" else None}
    planned = stage.ask("stepped", side, check=True, **change)
    told = [one["why"] for one in planned.differs if one["what"] == "service"]
    assert told == ["has another server or command than it was judged with"]
    stage.host.done.clear()
    assert stage.ask("stepped", side, **change).outcome == "stepped"
    assert stage.ask("confirmed", side, **change).outcome == "confirmed"
    assert not [line for line in stage.host.done if line.startswith("restart")]
    assert stage.ask("stepped", side, check=True, **change).changed is False
