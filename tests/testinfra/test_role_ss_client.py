# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role ss_client: ss-local, ss-redir and ss-tunnel carry traffic to the servers that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from _hosts import ROOT, host, play, variables
from _seen import arguments, is_up, journal, pids, unit
from _traffic import fetch

CONVERGE = ROOT / "molecule" / "role_ss_client" / "converge.yml"
UNITS = ("ss-local@main", "ss-local@outside", "ss-redir@redir", "ss-tunnel@web")
CLIENTS = ("c1", "c2")
both_clients = pytest.mark.parametrize("client", CLIENTS)
# what a gateway does: everything for the origin goes to ss-redir
REDIRECT = "table ip fleet { chain output { type nat hook output priority -100; ip daddr %s tcp dport 80 redirect to :1081; }; }"


def peers(client: str, action: str) -> set[str]:
    """Which servers a client talks to while it runs a command."""
    shell = host(client)
    shell.check_output(
        "systemd-run --quiet --collect --unit=fastopen-peers tcpdump -i data -nn -U --immediate-mode -Z root -w /run/peers.pcap tcp port 8388"
    )
    shell.check_output("for n in $(seq 100); do test -s /run/peers.pcap && exit 0; sleep 0.05; done; exit 1")
    try:
        assert shell.check_output(action).endswith("origin")
        shell.check_output("sleep 0.3")
    finally:
        shell.check_output("systemctl stop fastopen-peers")
    lines = shell.check_output("tcpdump -nn -r /run/peers.pcap 2>/dev/null")
    shell.check_output("rm /run/peers.pcap")
    return set(re.findall(r"> ([\d.]+)\.8388:", lines))


@both_clients
@pytest.mark.parametrize("service", UNITS)
def test_runs_now_and_at_boot(client: str, service: str) -> None:
    assert is_up(client, f"{service}.service")
    assert "--fast-open" not in arguments(client, f"{service}.service")
    assert (
        "fast-open" not in host(client).file(f"/etc/systemd/system/{service.partition('@')[0]}@.service").content_string
    )
    assert unit(client, f"{service}.service")["LimitNOFILE"] == "65536"


@both_clients
@pytest.mark.parametrize(
    ("way", "server"),
    [
        ("--socks5 127.0.0.1:1080 http://10.203.2.5/", "ss1"),
        ("--socks5 127.0.0.1:953 http://10.203.2.5/", "ss2"),
        ("http://127.0.0.1:8080/", "ss1"),
    ],
)
def test_traffic_goes_through_the_named_server(client: str, way: str, server: str) -> None:
    curl = f"curl --silent --show-error --fail --max-time 10 {way}"
    assert peers(client, curl) == {variables(server)["data_address"]}


@both_clients
def test_redirected_traffic(client: str) -> None:
    shell = host(client)
    shell.check_output("nft %s", REDIRECT % variables("origin")["data_address"])
    try:
        curl = "curl --silent --show-error --fail --max-time 10 http://10.203.2.5/"
        assert peers(client, curl) == {variables("ss2")["data_address"]}
    finally:
        shell.check_output("nft delete table ip fleet")


@both_clients
@pytest.mark.parametrize("program", ["ss-local@main", "ss-redir@redir", "ss-tunnel@web"])
def test_hardened(client: str, program: str) -> None:
    rating = host(client).check_output(f"systemd-analyze security --no-pager {program}.service")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", rating)
    assert exposure and float(exposure[1]) <= 1.5


@both_clients
def test_secrets_are_kept(client: str) -> None:
    for name in UNITS:
        file = host(client).file(f"/etc/shadowsocks/{name.replace('@', '-')}.json")
        assert (file.mode, file.user, file.group) == (0o640, "root", "shadowsocks")
    assert "embedded-fleet-" not in host(client).check_output("ps -eo args")
    assert "embedded-fleet-" not in journal(client)


def test_client_that_is_no_longer_listed_goes_if_it_is_said() -> None:
    before = {client: pids(client) for client in CLIENTS}
    try:
        run = play(CONVERGE, without=["web"])
        assert "ss-tunnel@web.service stay(s), deployed and not listed any more" in run.words
        assert {client: pids(client) for client in CLIENTS} == before
        assert play(CONVERGE, without=["web"], ss_client_prune=True).status == 0
        for client in CLIENTS:
            gone = "ss-tunnel@web.service"
            assert pids(client) == {name: pid for name, pid in before[client].items() if name != gone}
            assert not host(client).file("/etc/systemd/system/ss-tunnel@.service").exists
            assert not host(client).file("/etc/shadowsocks/ss-tunnel-web.json").exists
            assert fetch(client) == "origin"
    finally:
        assert play(CONVERGE).status == 0


def test_client_whose_path_brings_nothing_is_told_and_stays_plain() -> None:
    """Its servers do not accept SYN data."""
    before = {client: pids(client) for client in CLIENTS}
    shown = play(CONVERGE, ss_client_fast_open=True)
    assert shown.status == 0
    assert {figures["changed"] for figures in shown.recap.values()} == {0}
    for client in CLIENTS:
        assert f"{client} stays without TCP Fast Open: " in shown.words
        assert pids(client) == before[client]
        left = "find /etc/systemd/system /run/systemd/system -name zz-fastopen.conf"
        assert host(client).check_output(left) == ""


def test_plugin_is_warned_of() -> None:
    """Behind a plugin TFO covers only the loopback hop; nothing is changed for it."""
    entry = {"name": "main", "server": "203.0.113.7", "server_port": 443, "local_port": 1080}
    secrets = {"method": "aes-256-gcm", "password": "molecule-plugin"}
    shown = play(CONVERGE, "--check", instances=[{**entry, **secrets, "plugin": "true"}])
    assert shown.status == 0
    assert "loopback hop" in shown.words


@pytest.fixture
def closed() -> Iterator[str]:
    """A plugin that root alone may start."""
    for client in CLIENTS:
        host(client).check_output("install -m 0700 /bin/sleep /usr/local/bin/closed-plugin")
        host(client).check_output("install -m 0600 /bin/sleep /usr/local/bin/text-plugin")
    yield "closed-plugin"
    for client in CLIENTS:
        host(client).check_output("rm /usr/local/bin/closed-plugin /usr/local/bin/text-plugin")


def test_plugin_that_cannot_work_is_refused_or_taken_back(closed: str) -> None:
    """ss-local runs on without one; what ran before runs again, and what nobody can start is named before."""
    files = "find /etc/shadowsocks /etc/systemd/system -type f -exec sha256sum {} +"
    before = {client: (host(client).check_output(files), pids(client)) for client in CLIENTS}
    entry = {"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1080}
    for plugin, why in (
        ("no-such-plugin", "no-such-plugin is in none of /usr/local/sbin:"),
        ("/opt/no-such-plugin", "/opt/no-such-plugin is not on this host"),
        ("text-plugin", "/usr/local/bin/text-plugin is not executable"),
    ):
        run = play(CONVERGE, instances=[{**entry, "plugin": plugin}])
        assert run.status != 0
        assert (
            f"nothing was changed. In the way of the deployment: ss-local@main.service cannot start its plugin: {why}"
            in run.words
        )
        assert {client: (host(client).check_output(files), pids(client)) for client in CLIENTS} == before
    for plugin in ("false", closed):
        run = play(CONVERGE, instances=[{**entry, "plugin": plugin}])
        assert run.status != 0
        assert run.words.count("files are put back, and what ran before runs again") >= len(CLIENTS)
        for client in CLIENTS:
            assert host(client).check_output(files) == before[client][0]
            assert is_up(client, "ss-local@main.service") and fetch(client) == "origin"
    assert "/usr/local/bin/closed-plugin is closed to the user of the unit" in run.words
