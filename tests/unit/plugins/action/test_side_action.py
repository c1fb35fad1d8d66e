# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances become services on the controller, before the target hears of them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_host, tfo_service, tfo_stage, tfo_tunnel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

HOSTVARS = Hostvars(
    {
        "ss1": {"ansible_host": "192.0.2.1", "ss_server_instances": [SERVER_INSTANCE]},
        "c1": {"ss_client_instances": [{"name": "not asked for"}]},
    }
)


@pytest.fixture
def sent(monkeypatch):
    """The arguments that reach the module, and the module's answer."""
    calls = []

    def execute(_self, module_args, task_vars):
        assert task_vars["hostvars"] is HOSTVARS
        calls.append(module_args)
        return {"changed": True}

    monkeypatch.setattr(ActionBase, "_execute_module", execute)
    return calls


def variables(name):
    """A task's variables on a host."""
    return {"hostvars": HOSTVARS, "inventory_hostname": name}


@pytest.mark.parametrize("plugin", [tfo_host, tfo_service, tfo_stage])
def test_client(run, sent, plugin):
    """The task's instances, not the inventory's; the server's address, port and password come along."""
    assert run(plugin, variables("c1"), side="client", instances=[CLIENT_INSTANCE], fast_open_mode="flag") == {
        "changed": True
    }
    (arguments,) = sent
    assert set(arguments) - {"who", "absent", "adopted"} == {"side", "fast_open_mode", "services", "secrets"}
    assert ("absent" in arguments) == (plugin is not tfo_stage)
    assert MARKER not in str(arguments)
    assert ("@" in arguments.get("who", "")) == (plugin is tfo_stage)
    (service,) = _secrets.join(arguments["services"], arguments["secrets"])
    assert (service["server"], service["server_port"], service["server_host"]) == (["192.0.2.1"], 8388, "ss1")
    assert (service["password"], service["local_port"]) == (MARKER, 1080)


TOLD = {
    "ss_client_limit_nofile": 1024,
    "ss_client_prune": True,
    "ss_server_fast_open_mode": "listener",
    "shadowsocks_implementation": "rust",
    "shadowsocks_package": "mine",
    "shadowsocks_install": "none",
    "shadowsocks_archive_checksum": {"x86_64": "sha256:1"},
    "tcp_fastopen_sysctl_file": "/etc/sysctl.d/50.conf",
}


@pytest.mark.parametrize(("door", "told"), [(None, []), ({"variables": {}}, []), ({"skipped": True}, ["ss1"])])
def test_first_host_that_a_condition_keeps_out(run, monkeypatch, door, told):
    """`when` at import_playbook: what is done once for all would be left out with it, and nobody would be told."""
    monkeypatch.setattr(ActionBase, "_execute_module", lambda _self, module_args, task_vars: {})
    hosts = Hostvars({**HOSTVARS, "ss1": {**HOSTVARS["ss1"], "__rollout_door": door}})
    play = {**variables("c1"), "hostvars": hosts, "ansible_play_hosts": ["ss1", "c1"]}
    refused = []
    try:
        run(tfo_host, play, side="client", instances=[CLIENT_INSTANCE])
    except AnsibleActionFail as error:
        refused.append(str(error).partition(": a condition keeps it out, ")[0])
    assert refused == told


def test_told(run, sent):
    """What the door has let in counts where the task says nothing."""
    run(tfo_host, variables("c1"), side="client", instances=[CLIENT_INSTANCE], told=TOLD, package="theirs")
    told = {key: value for key, value in sent[0].items() if key not in ("services", "secrets", "absent", "adopted")}
    assert told == {
        "side": "client",
        "fast_open_mode": "flag",
        "limit_nofile": 1024,
        "prune": True,
        "implementation": "rust",
        "package": "theirs",
        "packaged": False,
        "by_apt": False,
        "sysctl_file": "/etc/sysctl.d/50.conf",
        "take_over": "",
        "retry": False,
    }


def test_told_nothing(run, sent):
    """The module takes no null for a word: what nobody has chosen is left to it."""
    told = {**TOLD, "ss_server_fast_open_mode": None, "shadowsocks_package": None}
    told.update({"ss_server_limit_nofile": 1024, "ss_server_prune": False})
    run(tfo_host, variables("ss1"), side="server", instances=[SERVER_INSTANCE], told=told)
    assert not {"fast_open_mode", "package", "archive"} & set(sent[0])


def test_told_of_an_archive(run, sent):
    """Its checksums, where it is what is installed."""
    told = {**TOLD, "shadowsocks_install": "archive"}
    run(tfo_host, variables("c1"), side="client", instances=[CLIENT_INSTANCE], told=told)
    assert sent[0]["archive"] == {"x86_64": "sha256:1"}


def test_server(run, sent):
    """One service a worker."""
    run(tfo_stage, variables("ss1"), side="server", instances=[{**SERVER_INSTANCE, "workers": 2}])
    assert [one["name"] for one in sent[0]["services"]] == ["main-1", "main-2"]


def test_delegated(run, sent, monkeypatch):
    """What the inventory says of the host that is asked counts, not of the one whose play it is."""
    old = {**SERVER_INSTANCE, "method": "aes-256-cfb"}
    with pytest.raises(AnsibleActionFail, match="no integrity protection"):
        run(tfo_host, variables("c1"), delegate_to="ss1", side="server", instances=[old])
    monkeypatch.setitem(HOSTVARS["ss1"], "ss_server_allow_insecure_methods", True)
    run(tfo_host, variables("c1"), delegate_to="ss1", side="server", instances=[old])
    assert sent[0]["services"][0]["method"] == "aes-256-cfb"


@pytest.mark.parametrize(("plugin", "count"), [(tfo_host, 1), (tfo_tunnel, 1), (tfo_stage, 0)])
def test_delegated_without_instances(run, sent, monkeypatch, plugin, count):
    """A look or a measurement is of what the other host has, hostvars in it too; a way back names none."""
    monkeypatch.setitem(HOSTVARS, "gateway", {"password": MARKER})
    theirs = {**SERVER_INSTANCE, "password": trust_as_template("{{ hostvars.gateway.password }}")}
    monkeypatch.setitem(HOSTVARS["ss1"], "ss_server_instances", [theirs])
    run(plugin, variables("c1"), delegate_to="ss1", side="server")
    services = _secrets.join(sent[0]["services"], sent[0]["secrets"])
    assert [one["password"] for one in services] == [MARKER] * count


def test_delegated_to_one_that_cannot_be_read(run, sent, monkeypatch):
    """The variable is named."""
    monkeypatch.setitem(HOSTVARS["ss1"], "ss_server_instances", trust_as_template("{{ gone }}"))
    with pytest.raises(AnsibleActionFail, match="ss1: ss_server_instances cannot be read: 'gone' is undefined"):
        run(tfo_host, variables("c1"), delegate_to="ss1", side="server")
    assert sent == []


@pytest.mark.parametrize("given", [{}, {"instances": None}, {"instances": []}])
def test_no_instance(run, sent, given):
    """The way down names none."""
    run(tfo_stage, variables("c1"), side="client", state="plain", **given)
    (arguments,) = sent
    assert (arguments["side"], arguments["state"], arguments["services"]) == ("client", "plain", [])
    assert _secrets.join(arguments["services"], arguments["secrets"]) == []


@pytest.mark.parametrize(
    ("side", "instances", "message"),
    [
        ("server", [{**SERVER_INSTANCE, "port": 0}], "port: 0 is not a whole number from 1 to 65535"),
        ("client", [{**CLIENT_INSTANCE, "server": "ss9"}], "'ss9' is no inventory host"),
        ("client", [{**CLIENT_INSTANCE, "password": MARKER}], "leave it out"),
        ("server", "main", "ss_server_instances: is not a list"),
    ],
)
def test_mistake(run, sent, side, instances, message):
    """The target is not contacted, and no secret is shown."""
    with pytest.raises(AnsibleActionFail) as caught:
        run(tfo_stage, variables("c1"), side=side, instances=instances)
    assert message in str(caught.value)
    assert MARKER not in str(caught.value)
    assert sent == []


def test_absent(run, sent):
    """An instance says so itself, or the task says it of all; a list without it removes nothing."""
    old = {"name": "old", "state": "absent"}
    run(tfo_service, variables("ss1"), side="server", instances=[SERVER_INSTANCE, old])
    run(tfo_service, variables("ss1"), side="server", instances=[SERVER_INSTANCE], state="absent")
    run(tfo_service, variables("ss1"), side="server", instances=[])
    assert [one["absent"] for one in sent] == [["old"], ["main"], []]
    assert [len(one["services"]) for one in sent] == [1, 0, 0]
    assert not any("state" in one for one in sent)


@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize(("unit", "packaged"), [("shadowsocks-libev", False), ("ss-server.service", True)])
def test_the_packages_own_server_stays_where_it_is_adopted(run, sent, side, unit, packaged):
    """Whatever side is deployed beside it."""
    own = {**variables("h"), "ss_server_instances": [{"name": "theirs", "unit": unit}]}
    run(tfo_service, own, side=side, instances=[], packaged=True)
    assert sent[0]["packaged"] is packaged


def test_the_packages_own_server_stays_where_the_list_cannot_be_read(run, sent):
    """It may be adopted, for all that is known."""
    own = {**variables("h"), "ss_server_instances": "{{ nowhere }}"}
    run(tfo_service, own, side="client", instances=[], packaged=True)
    assert sent[0]["packaged"] is False


def test_adopted(run, sent):
    """A server's unit, with its port where it is any program's; nothing else of it is known here."""
    instances = [{"name": "theirs", "unit": "haproxy", "port": 443}, {"name": "more", "unit": "ss-server@x.service"}]
    run(tfo_stage, variables("ss1"), side="server", instances=instances)
    assert sent[0]["services"] == []
    assert sent[0]["adopted"] == [
        {"name": "theirs", "unit": "haproxy.service", "port": 443},
        {"name": "more", "unit": "ss-server@x.service"},
    ]
