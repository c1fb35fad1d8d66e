# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as figures."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _figures


def arm(*times, failed=0, lost=0, syn_data=False, rtt=50.0):
    """Requests of one kind; the last ``lost`` connections have lost their SYN."""
    connections = [
        {"syn_data": syn_data and number >= lost, "lost": int(number < lost), "rtt_ms": rtt}
        for number in range(len(times))
    ]
    return {"ok": len(times), "failed": failed, "ttfb_ms": list(times), "connections": connections}


def client(plain, fast_open=None, server="ss1", network=""):
    """A measurement with one path."""
    path = {"name": "main", "server": server, "plain": plain, "fast_open": fast_open or arm()}
    return {"paths": [path], "network": network}


def test_wave_of_clients():
    """After the step where it was measured then, in both arms, with late, failed and lost requests and the round trip."""
    fast = arm(52, 54, 1054, failed=2, lost=1, syn_data=True)
    measured = {
        "before": {"c1": [client(arm(1, 1), arm(1))], "c2": [client(arm(100), arm(51))]},
        "after": {"c1": [client(arm(102, 104), arm(50, syn_data=True)), client(arm(103), fast, network="isp1")]},
    }
    first, second = _figures.of_clients(measured).pairs
    assert (first.label, first.network, first.when, first.rtt_ms) == ("c1 to ss1", "isp1", "after the step", 50.0)
    assert (first.first.name, first.first.median, first.first.requests) == ("plain", 103, 3)
    assert (first.second.ttfb_ms, first.second.failed, first.second.late) == ((50, 52, 54, 1054), 2, 1)
    assert (first.first.lost, first.second.lost) == (0, 1)
    assert first.gain_ms == 50
    assert (second.client, second.when) == ("c2", "before the step")
    assert [one.client for one in _figures.of_clients(measured).judged] == ["c1"]


def test_batch_of_servers():
    """Its witnesses before and after; clients of other servers are its control, and are not counted in."""
    measured = {
        "before": {"c1": [client(arm(100, 102))], "c2 to ss2": [client(arm(200), server="ss2")]},
        "after": {"c1": [client(arm(101, 700))], "c2 to ss2": [client(arm(900), server="ss2")]},
    }
    found = _figures.of_servers(measured)
    assert [(pair.label, pair.control) for pair in found.pairs] == [("c1 to ss1", False), ("c2 to ss2", True)]
    before, after = found.arms
    assert (before.name, before.ttfb_ms, before.late) == ("before the step", (100, 102), 0)
    assert (after.name, after.ttfb_ms, after.late) == ("after the step", (101, 700), 1)


def test_measurements_that_tell_nothing():
    """Why is kept; the others are shown."""
    measured = {
        "after": {
            "c1": [{"failed": True, "msg": "no python"}],
            "c2": [{"paths": "none"}],
            "c3": [client(arm(100), arm(50))],
        }
    }
    found = _figures.of_clients(measured)
    assert [pair.client for pair in found.pairs] == ["c3"]
    assert found.trouble["c1"] == "no python"
    assert found.trouble["c2"].startswith("c2, measurement 1: paths must be a list")


def test_nothing_measured():
    """No figures."""
    assert (_figures.of_clients({}).arms, _figures.of_servers({"before": None}).arms) == ([], [])


def test_nothing_answered():
    """No median, no gain."""
    (pair,) = _figures.of_clients({"after": {"c1": [client(arm(100), arm(failed=3))]}}).pairs
    assert (pair.second.median, pair.second.quantile(0.9), pair.gain_ms, pair.second.requests) == (None, None, None, 3)
