# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of a whole inventory."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_fleet
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

URL = "http://origin.example/"


def variables(own="ss1", **hosts):
    """A fleet with one server and one client, changed as given."""
    hostvars = {
        "ss1": {"ss_server_instances": [SERVER_INSTANCE]},
        "c1": {"ss_client_instances": [CLIENT_INSTANCE]},
        **hosts,
    }
    return {"hostvars": hostvars, "inventory_hostname": own}


@pytest.mark.parametrize("check_mode", [False, True])
def test_good_fleet(run, check_mode):
    """The hosts that were checked."""
    result = run(tfo_fleet, variables(), check_mode=check_mode, hosts=["ss1", "c1"], probe_url=URL)
    assert result == {"changed": False, "hosts": ["ss1", "c1"]}


def test_own_host(run):
    """Without names it is the task's own, as in a role."""
    assert run(tfo_fleet, variables("c1"))["hosts"] == ["c1"]


@pytest.mark.parametrize(
    ("own", "arguments", "message"),
    [
        ("ss1", {"server_instances": [{**SERVER_INSTANCE, "port": 0}]}, "ss_server_instances[main]: port 0"),
        ("c1", {"client_instances": [{**CLIENT_INSTANCE, "server": "ss9"}]}, "'ss9' is no inventory host"),
        ("ss1", {"server_instances": "main"}, "ss_server_instances is not a list"),
    ],
)
def test_instances_of_a_role(run, own, arguments, message):
    """They take the place of the inventory's."""
    with pytest.raises(AnsibleActionFail) as caught:
        run(tfo_fleet, variables(own), **arguments)
    assert message in str(caught.value)


def test_empty_instances_of_a_role(run):
    """An empty list is a list: the inventory's mistakes do not count."""
    broken = variables("ss1", ss1={"ss_server_instances": "x"})
    assert run(tfo_fleet, broken, server_instances=[])["changed"] is False


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "rollout_probe_url is not set"),
        ("https://origin.example/", "must be http://"),
        ("http://origin.example:x/", "rollout_probe_url"),
    ],
)
def test_probe_url(run, url, message):
    """Without a URL no client can be proven; servers alone need none."""
    with pytest.raises(AnsibleActionFail, match=message):
        run(tfo_fleet, variables(), hosts=["ss1", "c1"], probe_url=url)
    assert run(tfo_fleet, variables(), hosts=["ss1"], probe_url=url)["hosts"] == ["ss1"]


def test_every_mistake_on_a_line_of_its_own(run):
    """All hosts, all mistakes, no secret."""
    bad = variables(
        ss1={"ss_server_instances": [{**SERVER_INSTANCE, "port": 0, "workers": 0}]},
        c1={"ss_client_instances": [{**CLIENT_INSTANCE, "passwd": MARKER}]},
    )
    with pytest.raises(AnsibleActionFail) as caught:
        run(tfo_fleet, bad, hosts=["ss1", "c1", "gone"], probe_url="")
    first, *lines = str(caught.value).splitlines()
    assert first == "The inventory needs mending; no host was changed:"
    assert [line.split(":")[0].split()[0] for line in lines] == ["gone", "ss1", "ss1", "c1", "rollout_probe_url"]
    assert MARKER not in str(caught.value)


def test_hosts_and_instances_exclude_each_other(run):
    """Whose would they be?"""
    with pytest.raises(AnsibleActionFail, match="mutually exclusive"):
        run(tfo_fleet, variables(), hosts=["ss1"], server_instances=[])
