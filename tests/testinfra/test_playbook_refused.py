# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused with a message that helps, before any host is touched; test_untouched.py comes after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from _boxes import rollout, same_as_golden
from _hosts import journal, play

SERVER = {"name": "main", "port": 8388, "method": "aes-256-gcm", "password": "molecule"}
CLIENT = {"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1080}


def clients(**changes: Any) -> dict[str, Any]:
    """The clients' instance with other keys."""
    return {"ss_client_instances": [{**CLIENT, **changes}]}


def inventory(variable: str, base: dict[str, Any], bad: dict[str, tuple[dict[str, Any], str]]) -> tuple[Any, list[str]]:
    """Instances with a mistake each, by name, and the start of the message that each must get."""
    instances = [{**base, "name": name, **change} for name, (change, _message) in bad.items()]
    instances = [{key: value for key, value in one.items() if value is not None} for one in instances]
    return {variable: instances}, [f"{variable}[{name}]{message}" for name, (_change, message) in bad.items()]


NUMBER = "is not a whole number from 1 to 65535"
SIZES = 'give a list of whole numbers from 1 and percentages from "1%" to "100%"'
SERVER_BAD = {
    "method": ({"method": "rot13"}, ".method: 'rot13' is unknown: use one of aes-128-gcm"),
    "stream": ({"method": "rc4-md5"}, ".method: 'rc4-md5' has no integrity protection"),
    "nopassword": ({"password": None}, ".password: is missing"),
    "octal": ({"password": 42798}, ".password: must be text, but was read as a number: quote it"),
    "port": ({"port": 70000}, f".port: 70000 {NUMBER}"),
    "key": ({"passwort": "x"}, ".passwort: is unknown; did you mean password?"),
    "acl": ({"acl": "/etc/server.acl"}, ".acl: line 1, '/etc/server.acl', comes before a section"),
    "address": ({"public_address": "203.0.113.7:8388"}, ".public_address: '203.0.113.7:8388' is not an IPv4"),
}
CLIENT_BAD = {
    "server": ({"server": "ss9"}, ".server: 'ss9' is no inventory host"),
    "instance": ({"server_instance": "other"}, ".server_instance: server ss1 has no instance 'other' (it has: main)"),
}
CLIENT_ALONE_BAD = {
    "outside": (
        {"server": "203.0.113.7", "server_instance": None, "server_port": 8388, "method": "aes-256-gcm"},
        ".server: '203.0.113.7': name the server_instance of an inventory host, or give password of an outside server",
    ),
    "tunnel": ({"program": "ss-tunnel"}, ".tunnel_address: is missing: ss-tunnel needs it (HOST:PORT)"),
}
RUN_BAD = {
    "rollout_revert": ("All", "'All' is not one of wave, all; did you mean all?"),
    "rollout_bake_seconds": ("5m", "'5m' is not a number from 0 to 604800 seconds"),
    "rollout_probe_requests": ("50%", "'50%' is not 0 or a whole number from 5 to 100000"),
    "rollout_confidence": (1, "1 is not a number from 0.5 to 0.9999"),
    "rollout_max_slowdown_ms": (None, "is empty: give it a value, or leave it out"),
    "rollout_client_waves": ([0, "100%"], f"0 is no size of a wave: {SIZES}"),
    "rollout_server_batches": (["150%"], f"'150%' is no share of a fleet: {SIZES}"),
    "rollout_client_wave": (["10%"], "is no variable of this collection; did you mean rollout_client_waves?"),
    "rollout_probe_url": ("https://origin/", "'https://origin/' must be http://HOST[:PORT][/PATH]"),
}
REFUSED = {
    "servers": inventory("ss_server_instances", SERVER, SERVER_BAD),
    "clients": inventory("ss_client_instances", CLIENT, CLIENT_BAD),
    "clients alone": inventory("ss_client_instances", CLIENT, CLIENT_ALONE_BAD),
    "one port": (
        {"ss_server_instances": [SERVER, {**SERVER, "name": "second"}]},
        ["ss1: ss-server main and ss-server second both want port 8388/tcp"],
    ),
    "no probe URL": ({"rollout_probe_url": ""}, ["c1: rollout_probe_url: is not set"]),
    "run": (
        {name: value for name, (value, _message) in RUN_BAD.items()},
        [f"{name}: {message}" for name, (_value, message) in RUN_BAD.items()],
    ),
}


@pytest.mark.parametrize(("extra", "messages"), REFUSED.values(), ids=REFUSED)
def test_rollout_refuses(extra: dict[str, Any], messages: list[str]) -> None:
    """All of it at once, before any host is looked at."""
    run = play("fastopen.shadowsocks.rollout", "--limit", "ss1,c1", **extra)
    assert run.status != 0
    assert [message for message in messages if message not in run.words] == []
    assert "no host was changed" in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}
    assert "Look at each side" not in run.words


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"ss_client_fast_open": False}, "c1: ss_client_fast_open is false, and a rollout would turn it on"),
        ({"ss_server_state": "absent"}, "ss1: ss_server_state is absent, and a rollout would turn it on"),
    ],
)
def test_rollout_refuses_what_the_inventory_keeps_out(extra: dict[str, Any], message: str) -> None:
    run = play("fastopen.shadowsocks.rollout", "--limit", "ss1,c1", **extra)
    assert run.status != 0
    assert message in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}


def test_batches_of_the_inventory(tmp_path: Path) -> None:
    """Variables of a group decide about batches too, not only extra variables."""
    more = tmp_path / "more.yml"
    more.write_text("shadowsocks_servers: {vars: {rollout_server_batches: ['100%']}}\n", encoding="utf-8")
    limit = ("--check", "--limit", "shadowsocks_servers")
    batches = [
        play("fastopen.shadowsocks.rollout", *limit, *inventory).words.count("PLAY [Servers, in batches]")
        for inventory in ((), ("--inventory", str(more)))
    ]
    assert batches == [2, 1]


def test_broken_host_outside_of_the_limit(tmp_path: Path) -> None:
    """It is no witness, it is told of, and the run goes on (field: B1)."""
    broken = {"ss_client_instances": [{**CLIENT, "password": "{{ vault_that_nobody_gave }}"}]}
    more = tmp_path / "more.json"
    more.write_text(json.dumps({"shadowsocks_clients": {"hosts": {"c1": broken, "c3": broken}}}), encoding="utf-8")
    run = play("fastopen.shadowsocks.rollout", "--check", "--limit", "ss1", "--inventory", str(more))
    assert run.status == 0
    assert "c1 does not count as a client of its servers" in run.words
    assert "vault_that_nobody_gave" in run.words
    alone = play("fastopen.shadowsocks.rollout", "--check", "--limit", "c1", "--inventory", str(more))
    assert alone.status != 0
    assert "c1: ss_client_instances[main].password: cannot be read" in alone.words


def test_rollback_refuses_unknown_scope() -> None:
    run = play("fastopen.shadowsocks.rollback", "--limit", "ss1,c1", rollback_scope="everything")
    assert run.status != 0
    assert "rollback_scope: 'everything' is not one of send, accept, all" in run.words
    assert "no host was changed" in run.words


def test_canary_before_its_servers(tmp_path: Path) -> None:
    """Its journal has an end."""
    run = play("fastopen.shadowsocks.rollout", "--limit", "canary", rollout_report_dir=str(tmp_path))
    (path,) = tmp_path.glob("rollout-*.jsonl")
    end = next(event for event in journal(path) if event.get("step") == "end")
    assert (end["stopped"], list(end["amiss"])) == ("the preflight", ["c1"])
    assert run.status != 0
    assert "c1: server ss1 does not accept SYN data yet and is outside of this run's limit" in run.words
    assert "ansible-playbook fastopen.shadowsocks.rollout --limit ss1" in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}


def test_refused_run_reads_as_a_short_report(tmp_path: Path) -> None:
    run = rollout("ss1,c1", tmp_path, rollout_client_waves=[0, "100%"], rollout_revert="All")
    assert run.status != 0
    same_as_golden(run.output, "refused")
