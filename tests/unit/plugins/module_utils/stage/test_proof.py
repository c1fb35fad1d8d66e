# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packets' verdicts mean for a side of a host."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _proof
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import BARE_CLIENT as CLIENT

SERVER = {"program": "ss-server", "name": "main", "server": ["::", "0.0.0.0"], "server_port": 8388, "mode": "tcp_only"}


@pytest.fixture
def probed(monkeypatch):
    """Set the verdict of each path; gives the targets in the order in which they were probed."""
    targets = []

    def set_verdicts(**verdicts: str):
        def probe(host, port, attempts, ipv6_first=False):
            assert ipv6_first == (host == "six.example")
            assert attempts == _proof.PROBE_ATTEMPTS
            targets.append((host, port))
            return {"host": host, "port": port, "verdict": verdicts.get(f"p{port}", "fast_open")}

        monkeypatch.setattr(_path, "probe", probe)
        return targets

    return set_verdicts


def test_name_that_is_reached_by_ipv6_first(probed):
    """As its client is told."""
    targets = probed()
    _proof.paths([{**SERVER, "program": "ss-local", "server": ["six.example"], "ipv6_first": True}])
    assert targets == [("six.example", 8388)]


def test_clients_that_reach_one_name_by_other_families(monkeypatch):
    """Each family is a path of its own."""
    asked = []

    def probe(host, port, attempts, ipv6_first=False):
        asked.append(ipv6_first)
        return {"host": host, "port": port, "verdict": "no_cookie" if ipv6_first else "fast_open"}

    monkeypatch.setattr(_path, "probe", probe)
    paths, reasons = _proof.paths([CLIENT, {**CLIENT, "name": "six", "ipv6_first": True}])
    assert sorted(asked) == [False, True]
    assert [path["verdict"] for path in paths] == ["fast_open", "no_cookie"] and len(reasons) == 1


def test_good_path(probed):
    """A path that carries TFO gives no reason against it."""
    targets = probed()
    paths, reasons = _proof.paths([CLIENT])
    assert reasons == []
    assert [(path["host"], path["port"], path["server_hosts"]) for path in paths] == [("203.0.113.7", 8388, ["ss1"])]
    assert targets == [("203.0.113.7", 8388)]


@pytest.mark.parametrize("verdict", ["no_cookie", "data_refused", "syn_dropped", "client_off", "paused", "unreachable"])
def test_bad_path(probed, verdict):
    """Every other verdict is a reason, explained, with the server's name."""
    probed(p8388=verdict)
    _paths, reasons = _proof.paths([CLIENT])
    assert len(reasons) == 1
    assert reasons[0].startswith(f"{verdict}: ss1 port 8388: ")


@pytest.mark.parametrize(
    ("verdict", "counts"),
    [("no_cookie", False), ("data_refused", False), ("unreachable", False), ("syn_dropped", True)],
)
def test_path_to_a_planned_server(probed, verdict, counts):
    """What it does not do yet is no reason; SYNs that are lost are the path's own doing."""
    probed(p8388=verdict)
    assert bool(_proof.paths([CLIENT], ["ss1"])[1]) is counts
    assert _proof.paths([CLIENT], ["ss2"])[1]


def test_each_target_once(probed):
    """Services that share a server share its path; an outside server is named by its address."""
    targets = probed(p443="no_cookie")
    outside = {**CLIENT, "name": "other", "server": ["198.51.100.1"], "server_port": 443, "server_host": None}
    paths, reasons = _proof.paths([CLIENT, {**CLIENT, "name": "second", "local_port": 1081}, outside])
    assert targets == [("198.51.100.1", 443), ("203.0.113.7", 8388)]
    assert [path["server_hosts"] for path in paths] == [[], ["ss1"]]
    assert [reason.split(": ")[1] for reason in reasons] == ["198.51.100.1 port 443"]


@pytest.mark.parametrize("change", [{"plugin": "v2ray-plugin"}, {"mode": "udp_only"}])
def test_nothing_to_gain(probed, change):
    """A client whose own TCP ends on loopback, or that has none, is not probed and gets no TFO."""
    targets = probed()
    paths, reasons = _proof.paths([{**CLIENT, **change}])
    assert (paths, targets) == ([], [])
    assert len(reasons) == 1


@pytest.mark.parametrize(
    ("services", "targets"),
    [
        ([SERVER], [("127.0.0.1", 8388)]),
        ([{**SERVER, "server": ["203.0.113.7"]}], [("203.0.113.7", 8388)]),
        ([{**SERVER, "server": ["::", "2001:db8::1"]}], [("2001:db8::1", 8388)]),
        ([{**SERVER, "server": ["::"]}], [("::1", 8388)]),
        ([SERVER, {**SERVER, "name": "main-2"}], [("127.0.0.1", 8388)]),
        ([SERVER, {**SERVER, "server_port": 443}], [("127.0.0.1", 443), ("127.0.0.1", 8388)]),
        ([{**SERVER, "plugin": "obfs-server"}], []),
        ([{**SERVER, "mode": "udp_only"}], []),
    ],
)
def test_own_servers(probed, services, targets):
    """Each listener of ours is asked once, where it listens."""
    assert probed() == []
    paths = _proof.accepts(services)
    assert [(path["host"], path["port"]) for path in paths] == targets
    assert _proof.refusals(paths) == []


def test_address_that_this_host_does_not_have(probed, monkeypatch):
    """The next one is asked; where none takes a connection, that is what is told."""
    targets = probed()
    probe = _path.probe
    unreachable = {"192.0.2.1", "127.0.0.1"}
    monkeypatch.setattr(
        _path,
        "probe",
        lambda host, port, attempts: {
            **probe(host, port, attempts),
            **({"verdict": "unreachable"} if host in unreachable else {}),
        },
    )
    service = {**SERVER, "server": ["::", "192.0.2.1", "0.0.0.0"]}
    assert [path["verdict"] for path in _proof.accepts([service])] == ["fast_open"]
    assert targets == [("192.0.2.1", 8388), ("127.0.0.1", 8388), ("::1", 8388)]
    unreachable.add("::1")
    assert [path["verdict"] for path in _proof.accepts([service])] == ["unreachable"]


def test_refusals(probed):
    """The port tells which of them."""
    probed(p443="data_refused")
    paths = _proof.accepts([SERVER, {**SERVER, "server_port": 443}])
    assert _proof.refusals(paths) == ["data_refused: port 443 does not accept SYN data"]
