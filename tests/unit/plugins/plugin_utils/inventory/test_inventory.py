# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostvars as hosts."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, Host
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import plain, read_host, reader


class Templated(Mapping):
    """A host's variables; a callable is a template that is evaluated when it is read."""

    def __init__(self, **variables):
        self.variables = variables

    def __getitem__(self, key):
        value = self.variables[key]
        return value() if callable(value) else value

    def __contains__(self, key):
        return key in self.variables

    def __iter__(self):
        return iter(self.variables)

    def __len__(self):
        return len(self.variables)


def undefined():
    """A template with a variable that nobody set."""
    raise AnsibleUndefinedVariable("'vault_ss_password' is undefined")


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        pytest.param({}, Host("h", "h", [], []), id="nothing set"),
        pytest.param({"ansible_host": "192.0.2.1"}, Host("h", "192.0.2.1", [], []), id="address"),
        pytest.param(
            {"ss_server_instances": [{"name": "main"}], "ss_client_instances": []},
            Host("h", "h", [{"name": "main"}], []),
            id="instances",
        ),
        pytest.param({"ss_server_instances": None, "ansible_host": None}, Host("h", "h", [], []), id="null is unset"),
        pytest.param(
            {"ss_server_allow_insecure_methods": True},
            Host("h", "h", [], [], insecure_server=True),
            id="insecure server",
        ),
        pytest.param(
            {"ss_client_allow_insecure_methods": True},
            Host("h", "h", [], [], insecure_client=True),
            id="insecure client",
        ),
    ],
)
def test_read_host(variables, host):
    """What matters here, with the defaults of the roles."""
    assert read_host({"h": Templated(**variables)}, "h") == host


def test_no_such_host():
    """None, so that the client's own message can name it."""
    assert read_host({"h": Templated()}, "other") is None


def test_variable_that_cannot_be_templated():
    """Host, variable and cause."""
    with pytest.raises(FleetError, match=r"^h: ss_server_instances: .*'vault_ss_password' is undefined"):
        read_host({"h": Templated(ss_server_instances=undefined)}, "h")


def test_other_variables_are_not_evaluated():
    """A broken variable that has nothing to do with this is nobody's business."""
    assert read_host({"h": Templated(motd=undefined)}, "h") == Host("h", "h", [], [])


def test_reader_reads_once():
    """A server of a thousand clients is templated once."""
    count = []
    lookup = reader({"h": Templated(ansible_host=lambda: count.append(1) or "192.0.2.1")})
    assert lookup("h") is lookup("h")
    assert lookup("h").address == "192.0.2.1"
    assert lookup("other") is None
    assert len(count) == 1


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
