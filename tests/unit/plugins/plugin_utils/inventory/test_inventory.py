# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of hosts, evaluated when they are read."""

from __future__ import annotations

import types
from collections.abc import Sequence

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template as template
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import (
    Unreadable,
    plain,
    reader,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation

BROKEN = template("{{ vault_ss_password }}")


class Hostvars(dict):
    """Ansible's, with the variables as they were written."""

    raw_get = dict.__getitem__


def lookup(**variables):
    """One host of the inventory."""
    return reader(Hostvars(h=variables), evaluation(DataLoader()))


def test_no_such_host():
    """None, so that the client's own message can name it."""
    assert lookup()("other") is None


def test_host_whose_variables_cannot_be_had():
    """It fails only where it is asked for something, and says why."""

    class Locked(Hostvars):
        def raw_get(self, name):
            raise AnsibleError("Attempting to decrypt but no vault secrets found.")

    own = reader(Locked(h={}), evaluation(DataLoader()))("h")
    assert (own.host, "instances" in own, list(own)) == ("h", True, [])
    for ask in (own.get, own.parts, lambda name: own.find(name, "name", "a")):
        with pytest.raises(Unreadable, match="cannot be read: Attempting to decrypt"):
            ask("instances")


def test_get():
    """Templates are evaluated with the host's own variables; what is not set has the default."""
    own = lookup(port=8388, instances=[{"port": template("{{ port }}")}])("h")
    assert own.get("instances") == [{"port": 8388}]
    assert own.get("other", 5) == 5
    assert ("instances" in own, "other" in own, sorted(own)) == (True, False, ["instances", "port"])


def test_hostvars():
    """A host may take a value from another one, also where a third one asks."""
    fleet = Hostvars(h={"password": template("{{ hostvars.other.password }}")}, other={"password": "x"})
    assert reader(fleet, evaluation(DataLoader()))("h").get("password") == "x"


def test_undefined():
    """The cause is told."""
    with pytest.raises(Unreadable, match="cannot be read: .*'vault_ss_password' is undefined"):
        lookup(instances=[{"password": BROKEN}])("h").get("instances")


def test_find_evaluates_one_entry():
    """What nobody asks for cannot fail (field: B1)."""
    own = lookup(
        instances=[{"name": "a", "password": BROKEN}, {"name": template("{{ n }}"), "port": 1}, {"name": BROKEN}, 5],
        n="b",
        motd=BROKEN,
    )("h")
    assert own.find("instances", "name", "b") == ({"name": "b", "port": 1}, ["a", "b"])
    assert own.find("instances", "name", "c") == (None, ["a", "b"])
    with pytest.raises(Unreadable, match="vault_ss_password"):
        own.find("instances", "name", "a")


def test_parts():
    """What cannot be evaluated is told in its place; the rest is there, and what is omitted is left out."""
    own = lookup(
        whole=[{"name": "a"}],
        some=[{"name": "a", "password": BROKEN, "acl": template("{{ x | default(omit) }}")}, BROKEN, {}, 5],
        none=template("{{ gone + [] }}"),
    )("h")
    assert own.parts("whole") == [{"name": "a"}]
    first, second, *rest = own.parts("some")
    assert (sorted(first), first["name"], rest) == (["name", "password"], "a", [{}, 5])
    for one in (first["password"], second):
        assert isinstance(one, Unreadable) and "'vault_ss_password' is undefined" in str(one)
    with pytest.raises(Unreadable, match="'gone' is undefined"):
        own.parts("none")


@pytest.mark.parametrize("value", [None, 5, "main", {"a": 1}])
def test_find_in_something_else(value):
    """Nothing is there."""
    assert lookup(instances=value)("h").find("instances", "name", "a") == (None, [])


def test_find_in_a_template():
    """A list that is itself one."""
    own = lookup(instances=template("{{ others }}"), others=[{"name": "a"}])("h")
    assert own.find("instances", "name", "a") == ({"name": "a"}, ["a"])


def test_plain():
    """Ansible's containers become lists and dictionaries, at any depth; text stays text."""

    class Lazy(Sequence):
        def __init__(self, *items):
            self.items = items

        def __getitem__(self, index):
            return self.items[index]

        def __len__(self):
            return len(self.items)

    value = Lazy(types.MappingProxyType({"a": Lazy("x", b"y", 1, None)}), "text")
    result = plain(value)
    assert result == [{"a": ["x", b"y", 1, None]}, "text"]
    assert [one.__class__ for one in (result, result[0], result[0]["a"])] == [list, dict, list]
