# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances tfo_tunnel measures, and what it refuses. Real requests: tests/netns."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _answers, _pair, _temporary
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_tunnel
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE

SERVICES = [
    {**CLIENT_SERVICE, "name": "a", "server_host": "ss1"},
    {**CLIENT_SERVICE, "name": "b", "server_host": "ss2"},
    {**CLIENT_SERVICE, "name": "c"},
    {**CLIENT_SERVICE, "name": "u", "server_host": "ss3", "mode": "udp_only"},
]


@pytest.fixture
def ask(fake_host, run_module, monkeypatch):
    """Run the module; every path answers once of each kind."""

    def measure(services, _requests, terms):
        arms = {arm: _answers.Answers(ok=1, ttfb_ms=[50.0], counters={"RetransSegs": 1}) for arm in terms.arms}
        return [_answers.Path(one["name"], _pair._server(one), arms) for one in services], True

    monkeypatch.setattr(_pair, "measure", measure)
    return lambda **options: run_module(tfo_tunnel.main, **{"url": "http://origin/", "services": SERVICES, **options})


@pytest.mark.parametrize(
    ("servers", "names"),
    [([], ["a", "b", "c"]), (["ss1"], ["a"]), (["ss1", "ss2", "ss9"], ["a", "b"]), (["203.0.113.7", "ss2"], ["b"])],
)
def test_servers(ask, servers, names):
    """Those that lead to the inventory hosts; without any, all that carry TCP."""
    answer = ask(servers=servers)
    assert [path["name"] for path in answer["paths"]] == names
    assert answer["plain"]["ok"] == answer["fast_open"]["ok"] == len(names)
    assert answer["counters"] == {"RetransSegs": 2 * len(names)}


def test_server_of_a_path(ask):
    """Its inventory host, else its address."""
    assert [path["server"] for path in ask()["paths"]] == ["ss1", "ss2", "203.0.113.7"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": ["ss3", "ss9"]}, "no client instance leads to ss3 or ss9, so there is nothing to measure"),
        ({"services": SERVICES[3:]}, "no client instance carries TCP, so there is nothing to measure"),
        ({"requests": 0}, "requests: 0 is less than 1"),
        ({"earlier": {}}, "Unsupported parameters for (basic.py) module: earlier"),
    ],
)
def test_refused(ask, options, message):
    """And why."""
    answer = ask(**options)
    assert answer["failed"]
    assert message in answer["msg"]


def test_one_arm(ask):
    """The other is there and empty."""
    answer = ask(arms=["plain"])
    assert (answer["fast_open"]["ok"], answer["paths"][0]["fast_open"]["ok"], answer["saved_ms"]) == (0, 0, None)


def test_not_installed(ask, monkeypatch):
    """Each path says so, the total once."""

    def missing(*_arguments):
        raise _temporary.Missing("ss-local is not installed")

    monkeypatch.setattr(_pair, "measure", missing)
    answer = ask(arms=["plain"])
    assert "failed" not in answer
    assert [path["plain"]["errors"] for path in answer["paths"]] == [["ss-local is not installed"]] * 3
    assert (answer["plain"]["errors"], answer["fast_open"]["errors"]) == (["ss-local is not installed"], [])
