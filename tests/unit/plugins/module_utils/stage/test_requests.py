# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the services of a host: where they go, how many there are, and what silence means."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _requests
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._temporary import ClientError, Missing
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import BARE_CLIENT as CLIENT

URL = "http://origin/"


@pytest.fixture
def fetched(monkeypatch):
    """Answer fetches one after the other; gives the proxies that were used."""
    proxies = []

    def answer(*results: _tunnel.Fetch):
        left = list(results)

        def fetch(proxy, url, _timeout):
            assert url == URL
            proxies.append(proxy)
            return left.pop(0) if left else _tunnel.Fetch(True, 50.0, 200)

        monkeypatch.setattr(_tunnel, "fetch", fetch)
        return proxies

    return answer


@pytest.mark.parametrize(
    ("local", "proxy"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("192.0.2.9", "192.0.2.9"),
        (None, "127.0.0.1"),
    ],
)
def test_requests_go_where_the_client_listens(fetched, local, proxy):
    """A wildcard is reached over loopback."""
    proxies = fetched()
    found, reasons = _requests.tunnels([{**CLIENT, "local_address": local}], URL)
    assert set(proxies) == {(proxy, 1080)}
    assert (found[0]["name"], found[0]["ok"], reasons) == ("main", True, [])
    assert found[0]["ttfb_ms"] == [50.0] * _requests.FETCHES


BAD = _tunnel.Fetch(False, None, error="timed out")
FINE = _tunnel.Fetch(True, 50.0, 200)


@pytest.mark.parametrize(
    ("results", "asked", "silent"),
    [
        ([FINE, FINE], 2, False),
        ([BAD, FINE, FINE], 3, False),
        ([FINE, BAD, BAD, FINE], 4, False),
        ([BAD] * 3, 3, True),
        ([FINE, BAD, BAD, BAD], 4, True),
    ],
)
def test_a_single_failure_is_no_reason(fetched, results, asked, silent):
    """It may be the network's (field: A18); who fails again and again is silent."""
    proxies = fetched(*results)
    found, reasons = _requests.tunnels([CLIENT], URL)
    assert (found[0]["ok"], len(proxies)) == (not silent, asked)
    assert reasons == ([f"{URL} does not answer through main: timed out"] if silent else [])


@pytest.mark.parametrize("change", [{"program": "ss-redir"}, {"mode": "udp_only"}])
def test_clients_without_socks(fetched, change):
    """Nothing can be fetched through them this way."""
    proxies = fetched()
    assert _requests.tunnels([{**CLIENT, **change}], URL) == ([], [])
    assert proxies == []


def test_no_url_no_request(fetched):
    """An empty rollout_probe_url fetches nothing."""
    proxies = fetched()
    assert _requests.tunnels([CLIENT], "") == ([], [])
    assert proxies == []


REDIR = {**CLIENT, "program": "ss-redir", "password": "s3cret-marker"}


class Beside:
    """Stands for a temporary client; ``broken`` ones do not start."""

    made: list[tuple[dict, bool]] = []
    closed = 0
    broken = False

    def __init__(self, service, _url, fast_open):
        self.made.append((service, fast_open))

    def fetch(self, _url, _timeout):
        if self.broken:
            raise ClientError("a temporary ss-redir does not start: bad key")
        return _tunnel.Fetch(True, 50.0, 200)

    def close(self):
        type(self).closed += 1


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("program", ["ss-redir", "ss-tunnel"])
def test_client_that_cannot_be_asked_itself(fetched, monkeypatch, program, broken):
    """One with --fast-open takes the same path beside it, and is gone after that, whatever comes of it."""
    proxies = fetched()
    monkeypatch.setattr(_requests, "TemporaryClient", Beside)
    monkeypatch.setattr(Beside, "made", [])
    monkeypatch.setattr(Beside, "closed", 0)
    monkeypatch.setattr(Beside, "broken", broken)
    service = {**REDIR, "program": program}
    found, reasons = _requests.tunnels([service], URL)
    assert (found[0]["ok"], proxies) == (not broken, [])
    assert (Beside.made, Beside.closed) == ([(service, True)], 1)
    said = f"{URL} does not answer through main: a temporary ss-redir does not start: bad key"
    assert reasons == ([said] if broken else [])


RUST = {
    "program": "ss-server",
    "implementation": "rust",
    "name": "main",
    "server": ["::"],
    "server_port": 8388,
    "mode": "tcp_only",
    "method": "2022-blake3-aes-128-gcm",
    "password": "s3cret-marker",
}


def beside(monkeypatch, **change):
    """Stands for temporary clients, as a class of its own."""
    kind = type("Kind", (Beside,), {"made": [], "closed": 0, **change})
    monkeypatch.setattr(_requests, "TemporaryClient", kind)
    return kind


@pytest.fixture(autouse=True)
def connected(monkeypatch):
    """The addresses at which a server takes connections."""
    found = {"::1", "127.0.0.1"}
    monkeypatch.setattr(
        _attempt, "plain", lambda address, *_rest, **_more: _attempt.Attempt("plain", address in found, 1.0, 1.0, None)
    )
    return found


@pytest.mark.parametrize("broken", [False, True])
def test_server_that_would_run_on_while_it_fails(monkeypatch, broken):
    """It is asked for the URL by a plain client on its own host."""
    clients = beside(monkeypatch, broken=broken)
    found, reasons = _requests.served([RUST], URL)
    assert [(one["name"], one["ok"]) for one in found] == [("main", not broken)]
    assert bool(reasons) is broken
    client = {**RUST, "program": "ss-local", "server": ["::1"]}
    assert (clients.made, clients.closed) == ([(client, False)], 1)


@pytest.mark.parametrize("broken", [False, True])
def test_what_did_not_answer_before_is_not_asked_after(monkeypatch, broken):
    """It may be the URL; and libev's servers end by themselves instead of running on."""
    beside(monkeypatch, broken=broken)
    services = [RUST, {**RUST, "implementation": "libev"}]
    assert _requests.answering(services, URL) == ([] if broken else [RUST])
    assert _requests.answering(services, "") == []


def test_address_that_this_host_does_not_have_is_not_asked(monkeypatch, connected):
    """Without IPv6 rust binds :: all the same."""
    clients = beside(monkeypatch)
    connected.discard("::1")
    _requests.served([{**RUST, "server": ["::", "0.0.0.0"]}], URL)
    assert clients.made[0][0]["server"] == ["127.0.0.1"]


def test_client_of_a_server_has_nothing_of_the_servers_own(monkeypatch):
    """Its access list would be a file that no client has."""
    clients = beside(monkeypatch)
    _requests.served([{**RUST, "acl": "[reject_all]", "workers": 2, "nameserver": "192.0.2.53"}], URL)
    config = json.loads(_service.config_text({**clients.made[0][0], "local_address": "127.0.0.1", "local_port": 1}))
    assert {"acl", "runtime", "dns"} & set(config) == set()


def test_server_of_several_users(monkeypatch):
    """Its own key alone lets nobody in."""
    clients = beside(monkeypatch)
    _requests.served([{**RUST, "users": [{"name": "a", "password": "first"}, {"name": "b", "password": "x"}]}], URL)
    assert clients.made[0][0]["password"] == "s3cret-marker:first"


def test_host_with_a_server_alone(monkeypatch):
    """Without a client's program nobody can ask there: the wave's clients do."""

    def missing(_self, _url, _timeout):
        raise Missing("sslocal is not installed")

    beside(monkeypatch, fetch=missing)
    assert _requests.served([RUST], URL) == ([], [])
    found, reasons = _requests.tunnels([REDIR], URL)
    assert (found[0]["ok"], "sslocal is not installed" in reasons[0]) == (False, True)
