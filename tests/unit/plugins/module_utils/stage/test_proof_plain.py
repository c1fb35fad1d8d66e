# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether services run without TFO and answer: by unit, argv and a request of the kind they serve."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _listeners, _process, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _proof, _requests
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel

URL = "http://origin/"
SERVER = {"side": "server", "mode": "flag", "program": "ss-server", "address": "::", "port": 8388, "url": ""}
LOCAL = {**SERVER, "side": "client", "program": "ss-local", "address": "127.0.0.1", "port": 1080, "url": URL}
REDIR = {**LOCAL, "program": "ss-redir", "port": 1081, "url": ""}
UDP = {**REDIR, "port": None}


class Edges:
    """``asked`` lists connections and requests; ``works`` says what comes of them."""

    def __init__(self):
        self.asked, self.works, self.state, self.argv = [], True, ("active", "running"), ["ss-server", "-c", "x"]
        self.holders, self.dead = [], []

    def show(self, names):
        """Stands for _systemd.show."""
        active, sub = self.state
        return {name: _systemd.Unit(name, "loaded", active, sub, pid=7) for name in names}

    def read(self, pid):
        """Stands for _process.read."""
        assert pid == 7
        return None if self.argv is None else _process.Process(self.argv, 0.0)

    def connect(self, address, port, timeout):
        """Stands for _attempt.plain."""
        self.asked.append((address, port))
        return _attempt.Attempt("plain", self.works and address not in self.dead, timeout, 1.0, None)

    def fetch(self, proxy, url, _timeout):
        """Stands for _tunnel.fetch."""
        self.asked.append((*proxy, url))
        return _tunnel.Fetch(True, 50.0, 200) if self.works else _tunnel.Fetch(False, None, error="timed out")


@pytest.fixture(name="edges")
def fixture_edges(monkeypatch):
    """One unit after the other, all alike."""
    edges = Edges()
    monkeypatch.setattr(_systemd, "show", edges.show)
    monkeypatch.setattr(_process, "read", edges.read)
    monkeypatch.setattr(_attempt, "plain", edges.connect)
    monkeypatch.setattr(_tunnel, "fetch", edges.fetch)
    monkeypatch.setattr(_listeners, "holders", lambda _ports: edges.holders)
    return edges


@pytest.mark.parametrize(
    ("unit", "asked", "said"),
    [
        (SERVER, [("::1", 8388)], "a.service takes no connection on port 8388"),
        ({**SERVER, "address": "0.0.0.0"}, [("127.0.0.1", 8388)], "a.service takes no connection on port 8388"),
        ({**SERVER, "address": "192.0.2.1"}, [("192.0.2.1", 8388)], "a.service takes no connection on port 8388"),
        ({**SERVER, "address": ""}, [("127.0.0.1", 8388)], "a.service takes no connection on port 8388"),
        (REDIR, [("127.0.0.1", 1081)], "a.service takes no connection on port 1081"),
        (LOCAL, [("127.0.0.1", 1080, URL)], f"{URL} does not answer through a.service: timed out"),
        ({**LOCAL, "address": "::"}, [("::1", 1080, URL)], f"{URL} does not answer through a.service: timed out"),
    ],
)
@pytest.mark.parametrize("works", [True, False])
def test_asked_for_what_it_serves(edges, unit, asked, said, works):
    """Where it listens: a connection, or a request where one can be made."""
    edges.works = works
    found, reasons = _proof.plain({"a.service": unit})
    times = _requests.FAILURES if unit["url"] and not works else 1  # a single failure may be the network's
    assert edges.asked == asked * times
    assert reasons == ([] if works else [said])
    told = [{"name": "a.service", "ttfb_ms": [50.0 if works else None] * times, "ok": works}]
    assert found == (told if unit["url"] else [])


@pytest.mark.parametrize(
    ("state", "argv", "said"),
    [
        (("active", "running"), ["ss-server", "--fast-open"], "a.service still runs with --fast-open"),
        (("active", "running"), None, "a.service is active (running)"),
        (("failed", "failed"), ["ss-server"], "a.service is failed (failed)"),
        (("activating", "auto-restart"), ["ss-server"], "a.service is activating (auto-restart)"),
        (("inactive", "dead"), ["ss-server"], None),
    ],
)
def test_not_asked(edges, state, argv, said):
    """One that cannot be plain is not asked; one that is stopped was so before."""
    edges.state, edges.argv = state, argv
    assert _proof.plain({"a.service": SERVER}) == ([], [said] if said else [])
    assert edges.asked == []


def test_without_tcp(edges):
    """argv is all that there is."""
    assert _proof.plain({"a.service": UDP}) == ([], [])
    assert edges.asked == []


def test_each_by_itself(edges):
    """One failure does not hide another."""
    edges.works = False
    _found, reasons = _proof.plain({"b.service": LOCAL, "a.service": SERVER})
    assert [reason.split()[0] for reason in reasons] == ["a.service", URL]


def test_address_that_this_host_does_not_have(edges):
    """It is kept as it was configured; without IPv6 the service listens on its other address."""
    edges.dead = ["::1"]
    edges.holders = [_listeners.Holder("udp", "192.0.2.9", 8388), _listeners.Holder("tcp", "0.0.0.0", 8388)]
    assert _proof.plain({"a.service": SERVER}) == ([], [])
    assert edges.asked == [("::1", 8388), ("127.0.0.1", 8388)]
