# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused with a message that helps, before any host is touched; test_untouched.py comes after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _hosts import play

SERVER = {"name": "main", "port": 8388, "method": "aes-256-gcm", "password": "molecule"}
CLIENT = {"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1080}
OUTSIDE = {"name": "main", "server": "203.0.113.7", "server_port": 8388, "method": "aes-256-gcm", "local_port": 1080}


def servers(**changes: Any) -> dict[str, Any]:
    """The servers' instance with other keys; None takes a key away."""
    instance = {key: value for key, value in {**SERVER, **changes}.items() if value is not None}
    return {"ss_server_instances": [instance]}


def clients(**changes: Any) -> dict[str, Any]:
    """The clients' instance with other keys."""
    return {"ss_client_instances": [{**CLIENT, **changes}]}


REFUSED = {
    "unknown method": (servers(method="rot13"), "unknown method 'rot13', use one of aes-128-gcm"),
    "stream cipher": (servers(method="rc4-md5"), "method 'rc4-md5' has no integrity protection"),
    "no password": (servers(password=None), "ss1: ss_server_instances[main]: missing required arguments: password"),
    "port": (servers(port=70000), "port 70000 is not between 1 and 65535"),
    "unknown key": (servers(passwort="x"), "ss1: ss_server_instances[main]: unknown key passwort"),
    "one port": (
        {"ss_server_instances": [SERVER, {**SERVER, "name": "second"}]},
        "ss1: ss-server main and ss-server second both want port 8388/tcp",
    ),
    "no such server": (clients(server="ss9"), "c1: ss_client_instances[main]: server 'ss9' is no inventory host"),
    "no such instance": (clients(server_instance="other"), "server ss1 has no instance 'other' (it has: main)"),
    "outside server without password": ({"ss_client_instances": [OUTSIDE]}, "give password of an outside server"),
    "tunnel to nowhere": (clients(program="ss-tunnel"), "ss-tunnel needs tunnel_address (host:port)"),
    "no probe URL": ({"rollout_probe_url": ""}, "rollout_probe_url is not set"),
}


@pytest.mark.parametrize(("extra", "message"), REFUSED.values(), ids=REFUSED)
def test_rollout_refuses(extra: dict[str, Any], message: str) -> None:
    run = play("fastopen.shadowsocks.rollout", "--limit", "ss1,c1", **extra)
    assert run.status != 0
    assert message in run.words
    assert "no host was changed" in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"rollout_revert": "All"}, "rollout_revert must be wave or all, not All"),
        ({"rollout_bake_seconds": "5m"}, "rollout_bake_seconds a number of 0 or more, not 5m"),
        ({"rollout_probe_requests": 3}, "probe_requests must be between 5 and"),
        ({"rollout_confidence": 1}, "confidence must be between 0.5 and 0.9999"),
        ({"ss_client_fast_open": False}, "c1: ss_client_fast_open is false, and a rollout would turn it on"),
        ({"ss_server_state": "absent"}, "ss1: ss_server_state is absent, and a rollout would turn it on"),
    ],
)
def test_rollout_refuses_before_it_looks(extra: dict[str, Any], message: str) -> None:
    run = play("fastopen.shadowsocks.rollout", "--limit", "ss1,c1", **extra)
    assert run.status != 0
    assert message in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}
    assert "Look at each side" not in run.words


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


def test_all_mistakes_at_once() -> None:
    run = play("fastopen.shadowsocks.rollout", "--limit", "ss1,c1", **servers(method="rot13"), **clients(server="ss9"))
    assert "unknown method 'rot13'" in run.words
    assert "'ss9' is no inventory host" in run.words


def test_rollback_refuses_unknown_scope() -> None:
    run = play("fastopen.shadowsocks.rollback", "--limit", "ss1,c1", rollback_scope="everything")
    assert run.status != 0
    assert "rollback_scope is everything: use send, accept or all. Nothing was changed." in run.words


def test_canary_before_its_servers() -> None:
    run = play("fastopen.shadowsocks.rollout", "--limit", "canary")
    assert run.status != 0
    assert "c1: server ss1 does not accept SYN data yet and is outside of this run's limit" in run.words
    assert "ansible-playbook fastopen.shadowsocks.rollout --limit ss1" in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}
