# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the door found on all hosts, as one list."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _door
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables


def check(name, **variables):
    """What is found on a host."""
    return _door.check("rollout", Variables(name, variables), {}.get, ())


def test_gathered():
    """Each error once; a decision of the run on which hosts disagree is one; what each host has for itself is none."""
    reports = {
        name: check(name, rollout_bake_seconds=bake, rollout_network_label=name)
        for name, bake in (("a", 1), ("b", "1"), ("c", 2))
    }
    reports["a"].errors = ["a: x", "a: y: z", "2001:db8::1: y: z"]
    reports["b"].errors = ["b: y: z", "a: x", "c: w"]
    assert _door.gathered("rollout", reports) == [
        "a: x",
        "a, 2001:db8::1, b: y: z",
        "c: w",
        "rollout_bake_seconds: a run has one value for all its hosts, not 1.0 on a, b; 2.0 on c: set it for all",
    ]


@pytest.mark.parametrize(("used_by", "refused"), [("rollout", True), ("rollback", False), ("capture", False)])
def test_page_that_only_the_clients_have(used_by, refused):
    """A rollout measures all of its clients by one; no kill switch waits for that, and no capture."""
    url = {"rollout_probe_url": "http://origin.example/"}
    reports = {
        name: _door.check(used_by, Variables(name, variables), {}.get, ())
        for name, variables in (("ss1", {}), ("c1", url))
    }
    assert [error.split(":")[0] for error in _door.gathered(used_by, reports)] == ["rollout_probe_url"] * refused


def test_way_back_is_one():
    """For all hosts of a rollback."""
    reports = {name: _door.Report({"rollback_scope": scope}) for name, scope in (("a", "send"), ("b", "all"))}
    assert [error.split(":")[0] for error in _door.gathered("rollback", reports)] == ["rollback_scope"]


def test_gathered_of_many():
    """Not a line for each of a thousand hosts."""
    reports = {
        str(number): check(str(number), rollout_retry="x", rollout_bake_seconds=number) for number in range(1000)
    }
    assert _door.gathered("rollout", reports) == [
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more: rollout_retry: 'x' is not true or false",
        "rollout_bake_seconds: a run has one value for all its hosts, not 0.0 on 0; 1.0 on 1; 2.0 on 2 and 997 more:"
        " set it for all",
    ]


def test_secret_decision_of_the_run():
    """Hosts that disagree are told of it, and not of the values."""
    url = "https://hooks.example/T0K3N"
    hosts = {name: Variables(name, {"rollout_notify_url": url}) for name in "ab"}
    assert _door.secret_errors("rollout", hosts, hosts.get) == []
    hosts["c"] = Variables("c", {})
    (error,) = _door.secret_errors("rollout", hosts, hosts.get)
    assert error == "rollout_notify_url: a run has one value for all its hosts, and theirs differ: set it for all"
    assert _door.secret_errors("audit", hosts, hosts.get) == []
    assert "rollout_notify_url" not in check("a", rollout_notify_url=url).variables
