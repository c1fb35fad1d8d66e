# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a wave asks, and by whom."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _asking, _waves


def test_clients_ask_themselves():
    """Side by side, each for itself; nobody is asked for nothing."""
    asks = _asking.of_clients({"c1": 20, "c2": 0}, running=True)
    assert asks == {
        "c1": [{"host": "c1", "servers": [], "arms": ["plain", "fast_open"], "requests": 20, "running": True}]
    }


def test_witnesses_and_control_of_a_batch():
    """Shared out among its servers; the control are clients of others, and a client of both is asked for both."""
    witnesses = {"ss1": ["c1", "c2"], "ss2": ["c2", "c3"], "ss3": ["c4", "c1"]}
    asks = _asking.of_servers(["ss1", "ss2"], witnesses, 100)
    flat = [(ask["host"], tuple(ask["servers"])) for host in ("ss1", "ss2") for ask in asks[host]]
    assert sorted(flat) == [
        ("c1", ("ss1",)),
        ("c1", ("ss3",)),
        ("c2", ("ss1", "ss2")),
        ("c3", ("ss2",)),
        ("c4", ("ss3",)),
    ]
    assert {len(asks["ss1"]), len(asks["ss2"])} == {2, 3}
    assert all(ask["arms"] == ["plain"] and not ask["running"] for host in asks for ask in asks[host])
    names = [_asking.key(ask, ["ss1", "ss2"]) for host in asks for ask in asks[host]]
    assert sorted(names) == ["c1", "c1 to ss3", "c2", "c3", "c4 to ss3"]


def test_no_witness_needs_no_control():
    """Nobody is asked."""
    assert _asking.of_servers(["ss1"], {"ss1": [], "ss2": ["c1"]}, 100) == {}


def test_few_are_enough_for_a_control():
    """However many servers there are besides."""
    witnesses = {"ss1": ["c1"], **{f"ss{number}": [f"d{number}", f"e{number}"] for number in range(2, 9)}}
    asks = _asking.of_servers(["ss1"], witnesses, 5)["ss1"]
    assert len(asks) == 1 + _asking.CONTROLS
    assert all(ask["requests"] == 5 for ask in asks)


def test_each_server_is_watched_once():
    """The work is shared out among those that use it."""
    servers = {"c1": ["ss1", "ss2"], "c2": ["ss1"], "c3": ["ss2", "ss3"], "c4": []}
    watched = _asking.watchers(["c1", "c2", "c3", "c4"], servers)
    assert sorted(server for some in watched.values() for server in some) == ["ss1", "ss2", "ss3"]
    assert all(server in servers[host] for host, some in watched.items() for server in some)
    assert len(watched["c1"]) == 1


def test_waves_are_cut_as_serial_does():
    """A percentage is of all hosts, at least one; the last size is repeated."""
    hosts = [f"c{number}" for number in range(7)]
    assert [len(wave) for wave in _waves.cut(hosts, ["10%", "50%", "100%"])] == [1, 3, 3]
    assert [len(wave) for wave in _waves.cut(hosts, [1, 2])] == [1, 2, 2, 2]
    many = [f"c{number}" for number in range(90)]
    assert len(_waves.cut(many, ["70%"])[0]) == 62  # 0.7 * 90 is less than 63 to Python
    assert _waves.cut([], [1]) == []


def test_provers_and_what_they_prove():
    """One task a host, each target once; two servers behind one address have the same paths."""
    one, two, three = ({"host": f"203.0.113.{number}", "port": 8388} for number in (1, 2, 3))
    by_server = {
        "ss1": {"host": "ss2", "targets": [one]},
        "ss2": {"host": "ss1", "targets": [two]},
        "ss3": {"host": "ss1", "targets": [two, three]},
    }
    first, second = _asking.provers(by_server)
    assert first == {"host": "ss2", "targets": [one], "servers": {"ss1": [one]}}
    assert second == {"host": "ss1", "targets": [two, three], "servers": {"ss2": [two], "ss3": [two, three]}}
    results = [
        {"__rollout_prover": first, "unreachable": True},
        {"__rollout_prover": second, "paths": [{**two, "verdict": "fast_open"}, {**three, "verdict": "no_cookie"}]},
    ]
    found = _asking.proven(results)
    assert {server: [path["verdict"] for path in paths] for server, paths in found.items()} == {
        "ss1": [],
        "ss2": ["fast_open"],
        "ss3": ["fast_open", "no_cookie"],
    }
    assert {path["by"] for paths in found.values() for path in paths} == {"ss1"}
