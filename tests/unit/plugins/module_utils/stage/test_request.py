# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked, out of a module's parameters."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _request
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import TunnelError
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, MARKER, SERVER_SERVICE

PARAMS = {
    "side": "server",
    "services": None,
    "adopted": [],
    "secrets": None,
    "fast_open_mode": "listener",
    "sysctl_file": "/etc/sysctl.d/x.conf",
}


def test_build():
    """What is left out has its default."""
    request = _request.build({**PARAMS, "run": "r", "who": None, "lease_seconds": 5.0, "probe_url": ""})
    assert (request.side, request.services, request.mode) == ("server", [], "listener")
    assert (request.sysctl_file, request.run, request.who, request.lease_seconds) == (
        "/etc/sysctl.d/x.conf",
        "r",
        "",
        5.0,
    )


@pytest.mark.parametrize(
    ("side", "asked", "service", "mode"),
    [
        ("server", None, {}, "flag"),
        ("server", None, {"implementation": "rust"}, "listener"),
        ("server", "flag", {"implementation": "rust"}, "flag"),
        ("server", "listener", {}, "listener"),
        ("server", "flag", {"fast_open_mode": "listener"}, "listener"),
        ("client", "listener", {}, "flag"),
        ("client", None, {"implementation": "rust"}, "flag"),
    ],
)
def test_mode(side, asked, service, mode):
    """What is asked for, else what suits the implementation; clients have no listener mode."""
    request = _request.build({**PARAMS, "side": side, "fast_open_mode": asked})
    assert request.unit({**SERVER_SERVICE, **service})["mode"] == mode


def test_url_that_cannot_be_fetched():
    """Refused before anything is changed."""
    with pytest.raises(TunnelError, match="must be http://"):
        _request.build({**PARAMS, "probe_url": "https://origin/"})


REDIR = {**CLIENT_SERVICE, "program": "ss-redir"}


@pytest.mark.parametrize(
    ("side", "service", "kept"),
    [
        ("server", SERVER_SERVICE, {"address": "::", "port": 8388, "url": "", "mode": "listener"}),
        ("client", CLIENT_SERVICE, {"address": "127.0.0.1", "port": 1080, "url": "http://o/", "mode": "flag"}),
        ("client", REDIR, {"port": 1080, "url": ""}),
        ("client", {**CLIENT_SERVICE, "mode": "udp_only"}, {"port": None, "url": ""}),
    ],
)
def test_what_the_record_keeps_of_a_service(side, service, kept):
    """Enough to prove it plain without an inventory, and no secret."""
    entry = _request.Request(side, [service], mode="listener", probe_url="http://o/").unit(service)
    assert {key: entry[key] for key in kept} == kept
    assert MARKER not in str(entry)


def test_servers_of_a_client():
    """For the guard: where its connections go, of an adopted one with several servers all of them; a server has none."""
    one = {**CLIENT_SERVICE, "unit": "ss.service"}
    other = {**one, "server": ["203.0.113.9"], "server_port": 443}
    foreign = {**CLIENT_SERVICE, "name": "other"}
    request = _request.Request("client", [one, other, foreign])
    assert request.unit(one)["servers"] == [["203.0.113.7", 8388], ["203.0.113.9", 443]]
    assert request.unit(one)["ipv6_first"] is False
    assert request.unit({**one, "ipv6_first": True})["ipv6_first"] is True
    assert _request.Request("server", [SERVER_SERVICE]).unit(SERVER_SERVICE)["servers"] == []
