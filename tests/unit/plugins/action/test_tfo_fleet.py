# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door as a task: of one host, and of all that went through it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_fleet
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars

URL = "http://origin.example/"
GROUPS = {"ss1": ["shadowsocks_servers"], "c1": ["shadowsocks_clients"]}


def variables(name, **own):
    """A task of a play with variables of its own, on a host of a fleet with one server and one client."""
    hostvars = Hostvars(ss1={"ss_server_instances": [SERVER_INSTANCE]}, c1={"ss_client_instances": [CLIENT_INSTANCE]})
    return {
        **hostvars[name],
        "hostvars": hostvars,
        "inventory_hostname": name,
        "group_names": GROUPS[name],
        "rollout_probe_url": URL,
        **own,
    }


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("name", GROUPS)
def test_good_host(run, name, check_mode):
    """The values, typed, and no error."""
    result = run(tfo_fleet, variables(name, rollout_bake_seconds="5"), check_mode=check_mode, used_by="rollout")
    assert (result["changed"], result["errors"]) == (False, [])
    assert result["variables"]["rollout_bake_seconds"] == 5.0
    assert MARKER not in str(result)


@pytest.mark.parametrize(
    ("name", "used_by", "own", "message"),
    [
        (
            "ss1",
            "ss_server",
            {"ss_server_instances": [{**SERVER_INSTANCE, "port": 0}]},
            "ss1: ss_server_instances[main].port: 0 is not a whole number",
        ),
        ("c1", "ss_client", {"ss_client_instances": [{**CLIENT_INSTANCE, "server": "ss9"}]}, "'ss9' is no inventory"),
        ("c1", "rollout", {"rollout_probe_url": ""}, "c1: rollout_probe_url: is not set"),
        ("c1", "deploy", {"ss_client_state": trust_as_template("{{ gone }}")}, "c1: ss_client_state: cannot be read"),
    ],
)
def test_refused(run, name, used_by, own, message):
    """Variables of the play and of the role count as they stand for the task."""
    with pytest.raises(AnsibleActionFail) as caught:
        run(tfo_fleet, variables(name, **own), used_by=used_by)
    assert str(caught.value).startswith("The inventory needs mending; no host was changed:\n")
    assert message in str(caught.value)
    assert message in str(run(tfo_fleet, variables(name, **own), used_by=used_by, refuse=False)["errors"])


def test_role_of_the_other_side(run):
    """What a role does not read is not its business."""
    assert run(tfo_fleet, variables("c1", ss_client_instances="x"), used_by="ss_server")["errors"] == []


def test_all_hosts(run):
    """What each was told of, once."""
    fleet = variables("ss1")
    door = {"variables": {}, "errors": ["ss1: rollout_revert: x"]}
    fleet["hostvars"]["ss1"]["__rollout_door"] = door
    fleet["hostvars"]["c1"]["__rollout_door"] = {**door, "errors": ["c1: y", "c1: rollout_revert: x"]}
    with pytest.raises(AnsibleActionFail) as caught:
        run(tfo_fleet, fleet, used_by="rollout", hosts=["ss1", "c1"])
    assert str(caught.value).splitlines()[1:] == ["ss1, c1: rollout_revert: x", "c1: y"]
    for name in GROUPS:
        fleet["hostvars"][name]["__rollout_door"] = {"variables": {}, "errors": []}
    assert run(tfo_fleet, fleet, used_by="rollout", hosts=["ss1", "c1"]) == {"changed": False}
    fleet["hostvars"]["c1"]["rollout_notify_url"] = "https://hooks.example/"
    with pytest.raises(
        AnsibleActionFail, match="\nrollout_notify_url: a run has one value for all its hosts, and theirs differ"
    ):
        run(tfo_fleet, fleet, used_by="rollout", hosts=["ss1", "c1"])


def test_host_that_could_not_be_checked(run):
    """It is told of with the others; a way back goes on without it, but not where nothing was checked at all."""
    fleet = variables("ss1")
    fleet["hostvars"]["ss1"]["__rollout_door"] = {"variables": {}, "errors": ["ss1: x"]}
    fleet["hostvars"]["c1"]["__rollout_door"] = {"failed": True, "msg": "Error processing keyword:\n'u' is undefined"}
    with pytest.raises(AnsibleActionFail) as caught:
        run(tfo_fleet, fleet, used_by="rollout", hosts=["ss1", "c1"])
    assert str(caught.value).splitlines()[1:] == [
        "ss1: x",
        "c1: its variables were not checked: Error processing keyword: 'u' is undefined",
    ]
    fleet["hostvars"]["ss1"]["__rollout_door"]["errors"] = []
    assert run(tfo_fleet, fleet, used_by="rollback", hosts=["ss1", "c1"]) == {"changed": False}
    del fleet["hostvars"]["c1"]["__rollout_door"]
    with pytest.raises(AnsibleActionFail, match="c1: its variables were not checked: start the playbook at its first"):
        run(tfo_fleet, fleet, used_by="rollback", hosts=["ss1", "c1"])


def test_host_that_a_condition_keeps_out(run):
    """`when` at import_playbook: the others go back; any other playbook says what to do instead."""
    fleet = variables("ss1")
    fleet["hostvars"]["ss1"]["__rollout_door"] = {"variables": {}, "errors": []}
    fleet["hostvars"]["c1"]["__rollout_door"] = {"skipped": True, "skip_reason": "Conditional result was False"}
    assert run(tfo_fleet, fleet, used_by="rollback", hosts=["ss1", "c1"]) == {"changed": False}
    with pytest.raises(
        AnsibleActionFail, match="c1: its variables were not checked: a condition keeps it out, .* --limit$"
    ):
        run(tfo_fleet, fleet, used_by="rollout", hosts=["ss1", "c1"])


@pytest.mark.parametrize("wrong", ["rollout_probe_url: cannot be read: x", "tcp_fastopen_sysctl_file: y"])
def test_variable_of_one_host_that_is_wrong(run, wrong):
    """A way back goes on for the others, and says so; what is decided for the run as a whole keeps all of them."""
    fleet = variables("ss1")
    fleet["hostvars"]["ss1"]["__rollout_door"] = {"variables": {"rollback_scope": "all"}, "errors": []}
    fleet["hostvars"]["c1"]["__rollout_door"] = {"variables": {"rollback_scope": "all"}, "errors": [f"c1: {wrong}"]}
    assert run(tfo_fleet, fleet, used_by="rollback", hosts=["ss1", "c1"]) == {"changed": False}
    assert any(f"c1: {wrong}" in " ".join(line.split()) for line in run.shown)
    fleet["hostvars"]["c1"]["__rollout_door"]["errors"].append("c1: rollback_lift: z")
    with pytest.raises(AnsibleActionFail, match="changed:\nc1: rollback_lift: z$"):
        run(tfo_fleet, fleet, used_by="rollback", hosts=["ss1", "c1"])


@pytest.mark.parametrize("used_by", ["rollout", "rollback", "audit", "deploy", "discover"])
def test_host_that_was_lost_in_an_earlier_play(run, used_by):
    """A playbook of the operator's imports ours: who fails in a play before is not here, and keeps nobody out."""
    fleet = {**variables("ss1"), "ansible_play_hosts": ["ss1"]}
    fleet["hostvars"]["ss1"]["__rollout_door"] = {"variables": {}, "errors": []}
    assert run(tfo_fleet, fleet, used_by=used_by, hosts=["ss1", "c1"]) == {"changed": False}


@pytest.mark.parametrize(
    ("scope", "hosts", "message"),
    [
        ("send", ["ss1"], "rollback_scope: send takes clients back, and no host of this run is one: all takes servers"),
        ("accept", ["c1"], "rollback_scope: accept is the kill switch of servers, and no host of this run is one"),
        ("send", ["ss1", "c1"], ""),
        ("accept", ["ss1", "c1"], ""),
        ("all", ["ss1"], ""),
        ("all", ["c1"], ""),
    ],
)
def test_way_back_that_has_nobody(run, scope, hosts, message):
    """It is refused: exit status 0 would say that those hosts are plain."""
    fleet = {**variables("ss1"), "groups": {"shadowsocks_servers": ["ss1"], "shadowsocks_clients": ["c1"]}}
    for name in GROUPS:
        fleet["hostvars"][name]["__rollout_door"] = {"variables": {"rollback_scope": scope}, "errors": []}
    if message:
        with pytest.raises(AnsibleActionFail, match=f"\n{message}"):
            run(tfo_fleet, fleet, used_by="rollback", hosts=hosts)
    else:
        assert run(tfo_fleet, fleet, used_by="rollback", hosts=hosts) == {"changed": False}


def test_unknown_user(run):
    """A role or playbook of this collection, by name."""
    with pytest.raises(AnsibleActionFail, match="value of used_by must be one of"):
        run(tfo_fleet, variables("ss1"), used_by="role")


def test_two_names_of_one_machine(run):
    """They are named; two machines, and what nobody knows, are not."""
    run(tfo_fleet, variables("ss1"), used_by="deploy", machines={"ss1": "m1", "c1": "m2", "c2": "", "c3": ""})
    with pytest.raises(AnsibleActionFail, match="no host was changed:\nss1, c1 are names of one machine: leave one"):
        run(tfo_fleet, variables("ss1"), used_by="deploy", machines={"ss1": "m1", "c1": "m1"})
