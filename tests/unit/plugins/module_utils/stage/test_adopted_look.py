# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a side whose services are adopted, or that has none."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _listeners, _observe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _look, _proof
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._others import (
    CLIENT,
    FLAG,
    LISTENER,
    OWN,
    SERVICES,
    SIDES,
    TWO_SERVERS,
    ask,
    restarts,
    serve,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER


@pytest.fixture(autouse=True)
def fixture_kernel(fake_host, monkeypatch):
    """The kernel's value is read, no packet is sent over loopback."""

    def observe():
        value = int(fake_host.sysctl())
        return {"sysctl": {"value": value, "send": bool(value & 1), "accept": bool(value & 2)}}

    holders = [
        _listeners.Holder("tcp", "0.0.0.0", 22, 10, "sshd", "ssh.service"),
        _listeners.Holder("tcp", "0.0.0.0", 443, 11, "xray", LISTENER),
    ]
    monkeypatch.setattr(_probe, "observe", observe)
    monkeypatch.setattr(_listeners, "tcp", lambda: holders)


def look(stage, side, services, **change):
    """Look at a side with adopted services only, and see that nothing changed by it and that no password is shown."""
    request = stage.request(side, services=services, **change)
    before = stage.observe()
    found = _look.look(request, _observe.Wanted(side, []), "shadowsocks-libev", True)
    assert stage.observe() == before
    assert (restarts(stage), MARKER in str(found)) == ([], False)
    return found


@pytest.mark.parametrize("unit", [OWN, FLAG, LISTENER, CLIENT])
def test_look(others, unit):
    """Its owner deployed it; a step would work; who else will accept is told where bit 0x400 is wanted."""
    serve(others, unit)
    found = look(others, SIDES[unit], [SERVICES[unit]])
    assert (found["deployed"], found["differs"], found["foreign"], found["reasons"]) == ("yes", [], [], [])
    assert (found["step"]["outcome"], found["done"], found["left"]) == ("planned", False, [])
    assert [(one["unit"], one["state"], one["fast_open"]) for one in found["services"]] == [(unit, "active", False)]
    assert [one["unit"] for one in found["listeners"]] == (["ssh.service"] if unit == LISTENER else [])
    ask(others, "present", unit)
    others.host.done.clear()
    found = look(others, SIDES[unit], [SERVICES[unit]])
    stages = {"server": "accept", "client": "send"}
    assert (found["done"], found["step"]["outcome"], found["stage"]["problems"]) == (True, "confirmed", [])
    assert (found["stage"]["intended"], found["stage"]["actual"]) == (stages[SIDES[unit]],) * 2


def test_look_at_a_client_of_several_servers(others):
    """One unit, each of its paths."""
    serve(others, CLIENT)
    found = look(others, "client", TWO_SERVERS)
    assert [one["unit"] for one in found["services"]] == [CLIENT]
    assert [path["host"] for path in found["paths"]] == ["203.0.113.7", "203.0.113.8"]
    assert (found["deployed"], found["listeners"]) == ("yes", [])


def test_look_at_a_flag_unit_beside_a_listener(mixed):
    """One that needs 0x400 is enough for all others to be told; those of the side are not among them."""
    found = look(mixed, "server", [SERVICES[FLAG], SERVICES[LISTENER]])
    assert [(one["unit"], one["port"]) for one in found["listeners"]] == [("ssh.service", 22)]


@pytest.mark.parametrize("side", ["server", "client"])
def test_look_at_a_side_without_any_instance(others, side):
    """Nothing to deploy and nothing to step."""
    found = look(others, side, [])
    assert (found["deployed"], found["differs"], found["services"], found["listeners"]) == ("yes", [], [], [])
    assert (found["step"]["outcome"], found["reasons"]) == ("skipped", [_proof.NO_SERVICE])
    assert _proof.NO_SERVICE == "no instance is listed here"
    assert found["done"] is False


def test_look_at_one_that_cannot_be_adopted(others):
    """Named by the step that would be skipped."""
    found = look(others, "server", [], unfit=["a: it is inactive"])
    assert (found["step"]["outcome"], found["reasons"], found["done"]) == ("skipped", ["a: it is inactive"], False)
