# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan on the terminal and for the play."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_plan
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_INSTANCE, SERVER_INSTANCE
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars


def look(side, *, paths=(), differs=()):
    """What tfo_host returned."""
    return {
        "side": side,
        "done": False,
        "differs": list(differs),
        "stage": {"actual": "off"},
        "paths": list(paths),
        "deployed": "yes",
        "step": {"outcome": "planned", "differs": []},
        "fastopen": {"sysctl": {"value": 1}, "boot": {"file": None}},
    }


def variables(**looks):
    """A play over two of three hosts."""
    hostvars = {host: {"__rollout_seen": {"results": seen}} for host, seen in looks.items()}
    return {"hostvars": Hostvars(hostvars), "ansible_play_hosts_all": ["ss1", "c1"], "groups": {}}


BAD_PATH = {"host": "192.0.2.2", "port": 8388, "verdict": "no_cookie", "server_hosts": ["ss2"]}


def test_plan(run):
    """Shown line by line, and returned with what is to be asked of servers outside of the play."""
    result = run(tfo_plan, variables(ss1=[look("server")], c1=[look("client", paths=[BAD_PATH])]), hosts=["ss1", "c1"])
    assert result["plan"] == ["ss1  server  off -> accept, to be proven", "c1   client  off -> send, to be proven"]
    assert run.shown == [f"  {line}" for line in result["plan"]]
    assert [question["server"] for question in result["ask"]] == ["ss2"]
    assert (result["changed"], result["hosts"]) == (False, ["ss1", "c1"])


def test_impossible(run):
    """Told before anything is changed, and without a plan."""
    build = {"what": "package", "name": "x", "why": "/usr/bin/ss-local has no --fast-open"}
    with pytest.raises(AnsibleActionFail, match=r"Nothing was changed:\nc1: /usr/bin/ss-local has no --fast-open"):
        run(tfo_plan, variables(c1=[look("client", differs=[build])]), hosts=["c1"])
    assert run.shown == []


def test_broken_client_outside_of_the_limit_is_no_witness(run, monkeypatch):
    """It is told of, and the run goes on (field: B1); one that nobody needs is not even evaluated."""
    told = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda _self, text, *_more: told.append(text))
    fleet = variables(ss1=[look("server")])
    fleet["hostvars"]["ss1"]["ss_server_instances"] = [SERVER_INSTANCE]
    for name in ("c2", "c3"):
        fleet["hostvars"][name] = {"ss_client_instances": [CLIENT_INSTANCE]}
    for name in ("c1", "c4"):
        fleet["hostvars"][name] = {"ss_client_instances": [{"name": trust_as_template("{{ nobody_set_this }}")}]}
    fleet["groups"] = {"shadowsocks_clients": ["c1", "c2", "c3", "c4"]}
    assert run(tfo_plan, fleet, hosts=["ss1"])["witnesses"] == {"ss1": ["c2", "c3"]}
    assert [text.partition(":")[0] for text in told] == ["c1 is not asked how plain traffic fares"]
    assert "nobody_set_this" in told[0]
