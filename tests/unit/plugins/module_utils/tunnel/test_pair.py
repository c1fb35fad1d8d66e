# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked how often, with clients that answer from memory."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _pair
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._sock_diag import Connection
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import Fetch

BOTH = ["plain", "fast_open"]


class FakeClient:
    """Stands for TemporaryClient; a name in ``lossy`` loses what it sends with TCP Fast Open."""

    asked: list[tuple[str, str]] = []
    lossy: set[str] = set()
    closed = 0

    def __init__(self, service, url, fast_open):
        assert url == "http://origin/"
        self.name, self.arm, self.exits = service["name"], BOTH[fast_open], 0

    def fetch(self, _url, _timeout):
        self.asked.append((self.name, self.arm))
        self.exits += 1
        lost = int(self.arm == "fast_open" and self.name in self.lossy)
        return Fetch(True, 1000.0 * lost + 50.0, 200, connection=Connection(False, lost, 20.0))

    def close(self):
        type(self).closed += 1


@pytest.fixture
def client(monkeypatch):
    """The class of the clients, which keeps what they were asked."""
    kind = type("Client", (FakeClient,), {"asked": [], "lossy": set()})
    monkeypatch.setattr(_pair, "TemporaryClient", kind)
    return kind


def measure(names, requests, arms):
    services = [{"name": name, "server": [f"192.0.2.{number}"]} for number, name in enumerate(names)]
    return _pair.measure(services, requests, _pair.Terms("http://origin/", arms, 1.0, 0.0))


def test_in_turn(client):
    """Path i gets requests i, i + n …, each kind of a pair right after the other; the cookies come first."""
    paths, warmed = measure(["a", "b"], 3, BOTH)
    assert client.asked[:2] == [("a", "fast_open"), ("b", "fast_open")]
    assert client.asked[2:] == [(name, arm) for name in "aba" for arm in BOTH]
    assert [(path.name, path.server) for path in paths] == [("a", "192.0.2.0"), ("b", "192.0.2.1")]
    assert [[path.arms[arm].ok for arm in BOTH] for path in paths] == [[2, 2], [1, 1]]
    assert [[path.arms[arm].exits for arm in BOTH] for path in paths] == [[2, 3], [1, 2]]
    assert (warmed, client.closed) == (True, 4)


def test_each_path_at_least_once(client):
    """Also with fewer requests than paths."""
    paths, _warmed = measure(["a", "b", "c"], 1, BOTH)
    assert [path.arms["plain"].ok for path in paths] == [1, 1, 1]


def test_plain_only(client):
    """No cookie is fetched, and nothing is ever decided."""
    client.lossy = {"a"}
    paths, warmed = measure(["a"], 8, ["plain"])
    assert client.asked == [("a", "plain")] * 8
    assert (set(paths[0].arms), warmed) == ({"plain"}, False)


def test_decided_path_is_left_alone(client):
    """After five pairs; the other paths get what they would have got."""
    client.lossy = {"a"}
    paths, _warmed = measure(["a", "b"], 20, BOTH)
    assert [[path.arms[arm].ok for arm in BOTH] for path in paths] == [[5, 5], [10, 10]]


@pytest.mark.parametrize(
    ("arms", "answered", "seconds", "asked"),
    [
        pytest.param(BOTH, 0, 1.0, 2, id="two pairs"),
        pytest.param(["plain"], 0, 1.0, 4, id="four plain requests"),
        pytest.param(BOTH, 6, 1.0, 5, id="since the last answer"),
        pytest.param(BOTH, 0, 0.01, 20, id="refused at once, which costs nobody anything"),
    ],
)
def test_silent_path_is_left_alone(client, monkeypatch, arms, answered, seconds, asked):
    """After four time-outs without an answer: the rest of the wave waits, and its leases run."""
    clock, made = [0.0], []

    def fetch(self, _url, timeout):
        made.append(self.arm)
        if len(made) <= answered + (arms == BOTH):  # the cookie's request comes before
            return Fetch(True, 50.0, 200)
        clock[0] += seconds * timeout
        return Fetch(False, None, error="timed out")

    monkeypatch.setattr(client, "fetch", fetch)
    monkeypatch.setattr(_pair.time, "monotonic", lambda: clock[0])
    paths, _warmed = measure(["a"], 20, arms)
    assert [paths[0].arms[arm].ok + paths[0].arms[arm].failed for arm in arms] == [asked] * len(arms)


def test_clients_end_with_an_error(client, monkeypatch):
    """Whatever happens."""
    monkeypatch.setattr(client, "fetch", lambda *_arguments: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        measure(["a", "b"], 1, BOTH)
    assert client.closed == 4
