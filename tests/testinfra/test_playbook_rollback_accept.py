# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scope accept: the kill switch stops TFO for everybody at once, while traffic goes on and nothing restarts."""

from __future__ import annotations

import json

from _hosts import host, implementation, play, server_of
from _seen import counters, pids, rise, sysctl
from _traffic import captured, fetch, first_bytes, from_client

LIMIT = ("--limit", "ss1,ss2,c1,c2")
SERVERS, CLIENTS = ("ss1", "ss2"), ("c1", "c2")
# one request after the other until it is stopped: how many were answered, how many not
LOOP = """
import json, signal, subprocess, sys
counts, going = {"ok": 0, "failed": 0}, True
def stop(*_args):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
command = "curl --silent --fail --max-time 5 --output /dev/null --socks5 127.0.0.1:1080 http://10.203.2.5/".split()
while going:
    counts["ok" if subprocess.run(command, start_new_session=True).returncode == 0 else "failed"] += 1
    json.dump(counts, open("/run/fastopen-loop.json", "w"))
"""


def killed(server: str) -> str:
    """The kernel's value under the kill switch: one bit less, and bit 0x400 of rust's servers means nothing without it."""
    return "1025" if implementation(server) == "rust" else "1"


def test_kill_switch_under_traffic() -> None:
    for client in CLIENTS:
        first_bytes(client, 2)
        assert rise(client, lambda name=client: fetch(name))["TCPFastOpenActive"] == 1
        start = "systemd-run --quiet --collect --unit=fastopen-loop --property=KillMode=mixed python3 -c %s"
        host(client).check_output(start, LOOP)
    before = {name: pids(name) for name in (*SERVERS, *CLIENTS)}
    try:
        done = play("fastopen.shadowsocks.rollback", *LIMIT, rollback_scope="accept")
        refused = {server: counters(server)["TCPFastOpenPassive"] for server in SERVERS}
        for client in CLIENTS:
            host(client).check_output("sleep 1")
    finally:
        for client in CLIENTS:
            host(client).check_output("systemctl stop fastopen-loop")
    assert done.status == 0
    for client in CLIENTS:
        counts = json.loads(host(client).check_output("cat /run/fastopen-loop.json"))
        assert counts["failed"] == 0
        assert counts["ok"] > 20
    assert {name: pids(name) for name in before} == before
    # the clients have their cookies still and go on to send data, which no server takes any more
    for server in SERVERS:
        assert counters(server)["TCPFastOpenPassive"] == refused[server]
        assert sysctl(server, "net.ipv4.tcp_fastopen") == killed(server)
        files = host(server).check_output("/usr/lib/systemd/systemd-sysctl --cat-config")
        assert ("net.ipv4.tcp_fastopen" in files) == (killed(server) != "1")


def test_second_time_changes_nothing() -> None:
    done = play("fastopen.shadowsocks.rollback", *LIMIT, rollback_scope="accept")
    assert done.status == 0
    assert {figures["changed"] for figures in done.recap.values()} == {0}


def test_rollout_is_refused_until_it_is_lifted() -> None:
    refused = play("fastopen.shadowsocks.rollout", *LIMIT, rollout_probe_requests=0)
    assert refused.status != 0
    for server in SERVERS:
        assert f"{server}: the kill switch is on since" in refused.words
        assert sysctl(server, "net.ipv4.tcp_fastopen") == killed(server)
    lifted = play("fastopen.shadowsocks.rollback", *LIMIT, rollback_scope="accept", rollback_lift=True)
    assert lifted.status == 0
    assert {server: sysctl(server, "net.ipv4.tcp_fastopen") for server in SERVERS} == {
        server: killed(server) for server in SERVERS
    }


def test_rollout_brings_it_back_then() -> None:
    done = play("fastopen.shadowsocks.rollout", *LIMIT, rollout_probe_requests=0)
    assert done.status == 0
    for client in CLIENTS:
        first_bytes(client, 2)
        with captured(server_of(client)) as syns:
            assert [fetch(client) for _turn in range(3)] == ["origin"] * 3
        assert len(from_client(syns, client)) == 3
        assert min(from_client(syns, client)) > 0
