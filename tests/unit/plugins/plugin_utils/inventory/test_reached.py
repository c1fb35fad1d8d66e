# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At which address a client reaches its server."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._reached import targets
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_INSTANCE, SERVER_INSTANCE


def client(client_host="c1", instance=None, **variables):
    """The service of a client of ss1."""
    ss1 = Variables("ss1", {"ss_server_instances": [{**SERVER_INSTANCE, **(instance or {})}], **variables})
    own = Variables(client_host, {})
    (service,) = side("client", own, [CLIENT_INSTANCE], {"ss1": ss1}.get).services
    return service


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST."])
def test_loopback_is_not_the_server(address):
    """A server that is managed through a tunnel or from itself, or that listens behind something else on its host."""
    with pytest.raises(FleetError, match="ansible_host of server ss1: .* is that host itself.*give its instance a pub"):
        client(ansible_host=address)
    with pytest.raises(FleetError, match="the address of instance 'main' of server ss1: .* is that host itself"):
        client(instance={"address": address})
    assert client("ss1", instance={"address": address})["server_host"] == "ss1"
    assert client(instance={"public_address": address})["server_host"] == "ss1"


@pytest.mark.parametrize(
    ("instance", "variables", "found"),
    [
        ({}, {}, [("203.0.113.1", 8388)]),
        ({"public_address": "vpn.example.com"}, {}, [("vpn.example.com", 8388)]),
        ({"mode": "udp_only"}, {}, []),
        ({"plugin": "obfs-server"}, {}, []),
        ({"state": "absent"}, {}, []),
        ({}, {"ansible_host": "127.0.0.1"}, []),
        ({"port": "none"}, {}, []),
    ],
)
def test_server_as_a_host_finds_it_that_is_no_client(instance, variables, found):
    """As a client there would; nothing where that cannot be told."""
    instances = [{**SERVER_INSTANCE, **instance}]
    ss1 = Variables("ss1", {"ss_server_instances": instances, "ansible_host": "203.0.113.1", **variables})
    assert [(one["host"], one["port"]) for one in targets("ss1", "ss2", {"ss1": ss1}.get)] == found


def test_server_that_is_not_in_the_inventory():
    """Nobody finds it."""
    assert targets("ss9", "ss2", {}.get) == []
    assert targets("ss1", "ss2", {"ss1": Variables("ss1", {"ss_server_instances": "text"})}.get) == []
