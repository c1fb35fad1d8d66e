# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At which address a client reaches its server."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._reached import addresses, targets
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


@pytest.mark.parametrize(
    ("instances", "host", "found"),
    [
        ([{}], "", set()),
        ([{}], "192.168.1.2", set()),
        ([{}], "8.8.8.8", {"8.8.8.8"}),
        ([{}], "Gate.example.org.", {"gate.example.org"}),
        ([{}], "localhost", set()),
        ([{"public_address": "192.168.1.2"}], "8.8.8.8", {"192.168.1.2"}),
        ([{"address": "10.0.0.1"}], "8.8.8.8", set()),
        ([{"address": "8.8.4.4"}, {"address": "0.0.0.0"}], "8.8.8.8", {"8.8.4.4", "8.8.8.8"}),
        ([{"public_address": "8.8.4.4", "state": "absent"}], "8.8.8.8", set()),
        ([{"unit": "x.service", "public_address": "2001:DB8::1"}], "8.8.8.8", {"2001:db8::1"}),
        ("[{'name': 'main', 'public_address': '8.8.4.4'}]", "8.8.8.8", set()),
        ([1, None], "8.8.8.8", {"8.8.8.8"}),
    ],
)
def test_addresses_at_which_clients_reach_it(instances, host, found):
    """A private one may be another machine elsewhere: it counts where it is called a public_address."""
    ss1 = Variables("ss1", {"ss_server_instances": instances, "ansible_host": host})
    assert addresses("ss1", {"ss1": ss1}.get) == found
    assert addresses("ss9", {"ss1": ss1}.get) == set()
