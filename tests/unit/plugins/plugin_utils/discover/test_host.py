# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one host's file."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover import _files, _host
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover._instances import Adopted, Row
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.discover._found import TUN, UNIT

SERVER = {"name": "shadowsocks-libev", "unit": UNIT}
CLIENT = {"name": "tun", "unit": TUN, "server": "ss1"}
OTHER = {"name": "b", "unit": "b.service"}
PATH = "/inventory/host_vars/ss1/shadowsocks.yml"


def decide(servers=(), clients=(), *, lists=None, blocked="", listed=None, overwrite=False):
    """What becomes of ss1; what its file holds is in the inventory, where ``listed`` says nothing else."""
    rows = [Row("server", one["unit"], "ss-server", 8388, name=one["name"]) for one in servers]
    file = _files.File(PATH, None if lists is None else _files.content(lists), lists or {}, blocked)
    there = {side: (lists or {}).get(variable, []) for side, variable in _files.VARIABLES.items()}
    adopted = Adopted(rows, {"server": list(servers), "client": list(clients)})
    return _host.decide("ss1", adopted, file, {**there, **(listed or {})}, overwrite)


def test_new():
    """Both sides; one without instances is left out."""
    host = decide([SERVER], [CLIENT])
    assert (host.state, host.writes, host.by_hand) == ("new", True, {})
    assert host.after == _files.content({"ss_server_instances": [SERVER], "ss_client_instances": [CLIENT]})
    assert "ss_client_instances" not in decide([SERVER]).after


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_to_do(overwrite):
    """Nothing was found, or the file says so already, in whatever order."""
    assert decide(overwrite=overwrite).state == "nothing"
    lists = {"ss_server_instances": [SERVER, OTHER]}
    host = decide([OTHER, SERVER], lists=lists, overwrite=overwrite)
    assert (host.state, host.writes, host.after) == ("same", False, "")


@pytest.mark.parametrize(
    ("lists", "servers", "why"),
    [
        ([OTHER], [SERVER], f"lacks {UNIT}; names b.service, which was not found"),
        ([OTHER], [SERVER, OTHER], f"lacks {UNIT}"),
        ([OTHER], [{**OTHER, "server": "ss2"}], "names other servers than were found"),
    ],
)
def test_otherwise(lists, servers, why):
    """Left, and named; replaced where that was asked for."""
    host = decide(servers, lists={"ss_server_instances": lists})
    assert (host.state, host.writes, host.why) == ("kept", False, why)
    host = decide(servers, lists={"ss_server_instances": lists}, overwrite=True)
    assert (host.state, host.writes) == ("replaced", True)
    assert host.after == _files.content({"ss_server_instances": servers})


def test_service_that_is_down():
    """Never drops the last instances of a host."""
    assert decide(lists={"ss_server_instances": [SERVER]}, overwrite=True).state == "kept"


@pytest.mark.parametrize("there", [[{"name": "main", "port": 8388}], None])
@pytest.mark.parametrize("overwrite", [False, True])
def test_instances_from_elsewhere(there, overwrite):
    """Nothing is written for that side, as our file would hide them; the other side is."""
    host = decide([SERVER], [CLIENT], listed={"server": there}, overwrite=overwrite)
    assert host.after == _files.content({"ss_client_instances": [CLIENT]})
    assert host.by_hand == {"ss_server_instances": [SERVER]}


@pytest.mark.parametrize("unit", [UNIT, "shadowsocks-libev"])
def test_adopted_elsewhere(unit):
    """There is nothing to add."""
    host = decide([SERVER], listed={"server": [{"name": "office", "unit": unit}]})
    assert (host.state, host.by_hand, UNIT in host.listed) == ("nothing", {}, True)


def test_other_side_of_the_file_stays():
    """Another file overrules it in part; what ours holds of that is left."""
    host = decide(
        [SERVER, OTHER],
        lists={"ss_server_instances": [SERVER], "ss_client_instances": [CLIENT]},
        listed={"client": [{"name": "x"}]},
        overwrite=True,
    )
    assert host.after == _files.content({"ss_server_instances": [SERVER, OTHER], "ss_client_instances": [CLIENT]})


def test_blocked():
    """Nothing is written, all of it is for the operator's hand."""
    host = decide([SERVER], blocked="x.yml is there")
    assert (host.state, host.why, host.lists) == ("blocked", "x.yml is there", {})
    assert host.by_hand == {"ss_server_instances": [SERVER]}
    assert decide(blocked="x.yml is there").state == "nothing"
