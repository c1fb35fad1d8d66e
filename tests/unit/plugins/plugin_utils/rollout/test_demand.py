# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks servers for cookies before they accept."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._ss_processes import MAY
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _demand

DAY = 86_400


def server(asked=5000, *, done=False, paths=0, seconds=36_000, outcome="planned", intended="off", actual="off"):
    """The look at a server."""
    return {
        "side": "server",
        "done": done,
        "paths": [{"port": port} for port in range(paths)],
        "uptime_seconds": seconds,
        "step": {"outcome": outcome},
        "stage": {"intended": intended, "actual": actual},
        "fastopen": {"counters": {"TCPFastOpenCookieReqd": asked} if asked else {}},
    }


def client(*servers, actual="off", program="", reason="fast_open is true in /etc/x.json", send=True):
    """The look at a client of these servers, and a process of its host that has TCP Fast Open by itself."""
    return {
        "side": "client",
        "paths": [{"server_hosts": [name]} for name in servers],
        "stage": {"actual": actual},
        "fastopen": {
            "sysctl": {"send": send},
            "processes": [{"program": program, "reason": reason}] if program else [],
        },
    }


def none(_server):
    """No client of the inventory uses it."""
    return 0


@pytest.mark.parametrize(
    ("look", "paths_to", "own"),
    [
        pytest.param(server(), 0, 120, id="ten runs of two looks"),
        pytest.param(server(paths=2), 0, 280, id="its own ports"),
        pytest.param(server(), 3, 240, id="its clients"),
        pytest.param(server(seconds=30 * DAY), 0, 480, id="a daily run"),
        pytest.param(server(seconds=None), 0, 120, id="no uptime"),
    ],
)
def test_what_is_counted_out(look, paths_to, own):
    """What this collection can have asked for itself."""
    found = _demand.of({"ss1": [look]}, lambda _server: paths_to)["ss1"]
    assert (found.asked, found.own, found.explained) == (5000, own, False)


def test_clients_are_read_where_it_matters_only():
    """Few requests need no explanation."""
    found = _demand.of({"ss1": [server(120)], "ss2": [server(0)], "ss3": [server(done=True)]}, lambda _server: 1 / 0)
    assert (list(found), found["ss1"].explained) == (["ss1"], True)
    with pytest.raises(ZeroDivisionError):
        _demand.of({"ss1": [server(121)]}, lambda _server: 1 / 0)


@pytest.mark.parametrize(
    ("look", "explains"),
    [
        pytest.param(client("ss1", actual="send"), True, id="on by us"),
        pytest.param(client("ss1", program="sslocal"), True, id="on by its own config"),
        pytest.param(client("ss2", "ss1", program="ss-redir"), True, id="beside another server"),
        pytest.param(client("ss2", actual="send"), False, id="of another server"),
        pytest.param(client("ss1"), False, id="off"),
        pytest.param(client("ss1", program="ss-server"), False, id="towards origins"),
        pytest.param(client("ss1", program="ss-local", send=False), False, id="its kernel may not send"),
        pytest.param(client("ss1", program="ss-local", reason=f"x, {MAY}"), False, id="nobody knows"),
        pytest.param(client("ss1", actual="broken", program="ss-local", send=False), False, id="it exits"),
    ],
)
def test_managed_client_that_asks_already(look, explains):
    """It explains the demand, whatever there is more of it; the server is not refused."""
    looks = {"ss1": [server()], "c1": [look]}
    demands = _demand.of(looks, none)
    assert (demands["ss1"].askers, demands["ss1"].explained) == (("c1",) if explains else (), explains)
    assert list(_demand.refusals(looks, demands)) == ([] if explains else ["ss1"])


@pytest.mark.parametrize(
    ("look", "refused"),
    [
        (server(), True),
        (server(100), False),
        (server(outcome="skipped"), False),
        (server(actual="accept"), False),
        (server(intended="accept"), False),
    ],
)
def test_only_what_would_be_turned_on_is_refused(look, refused):
    """A server that accepts already, or had it confirmed, turns nothing on for strangers."""
    looks = {"ss1": [look]}
    why = _demand.refusals(looks, _demand.of(looks, none))
    assert list(why) == (["ss1"] if refused else [])
    if refused:
        assert "5000 since boot, 500.0 an hour, 120 at most by this collection's own probes" in why["ss1"]
        assert "-e rollout_accept_unmanaged=true" in why["ss1"]


@pytest.mark.parametrize(
    ("look", "line"),
    [
        (
            server(90),
            "ss1 was asked for cookies: 90 since boot, 9.0 an hour; no more than this collection's own probes",
        ),
        (server(seconds=None), "ss1 was asked for cookies: 5000 since boot; 120 at most by"),
        (server(seconds=0), "ss1 was asked for cookies: 5000 since boot (up 0 min); 120 at most by"),
        (server(seconds=3599), "ss1 was asked for cookies: 5000 since boot (up 59 min); 120 at most by"),
        (server(seconds=3600), "ss1 was asked for cookies: 5000 since boot, 5000.0 an hour; 120 at most by"),
        (server(), "ss1 was asked for cookies: 5000 since boot, 500.0 an hour; 120 at most by this collection's own"),
    ],
)
def test_lines(look, line):
    """The figures, and whose requests they may have been."""
    (shown,) = _demand.lines(_demand.of({"ss1": [look]}, none))
    assert shown.startswith(f"  {line}")


def test_line_with_clients_that_ask():
    """By name."""
    demands = _demand.of({"ss1": [server()], "c1": [client("ss1", actual="send")]}, none)
    assert _demand.lines(demands) == [
        "  ss1 was asked for cookies: 5000 since boot, 500.0 an hour; asked already by c1"
    ]


def test_paths_to_a_server():
    """Every instance of a client is a path of its own."""
    servers = {"c1": ["ss1", "ss1"], "c2": ["ss2"], "c3": ["ss1"]}
    instances = {name: [{"name": server, "server": server} for server in used] for name, used in servers.items()}
    assert _demand.paths_to("ss1", ["c1", "c2", "c3"], instances.__getitem__) == 3
