# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook deploy over a fleet that runs already: services of others are named and stay as they are, every byte of them.

ss1 runs the package's service with a config of its own, ss2 a hand-written template, c2 a hand-written unit with the name of
the package's service and a program built from source. c1 is as the package leaves it, c3 and c4 have no Shadowsocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _state
import pytest
from _hosts import host, play
from _seen import arguments, pids

FOREIGN = ("ss1", "ss2", "c2")
LIMIT = ("--limit", "ss1,ss2,c1,c2")
CONFIG = {"server_port": 8388, "method": "aes-256-gcm", "password": "in-production", "mode": "tcp_only"}
TEMPLATE = """[Service]
ExecStart=/usr/bin/ss-server -c /etc/mine/%i.json
[Install]
WantedBy=multi-user.target
"""
UNIT = """[Service]
ExecStart=/usr/local/bin/ss-local -c /etc/mine/client.json
[Install]
WantedBy=multi-user.target
"""


def write(name: str, path: str, text: str) -> None:
    """A file of somebody else."""
    host(name).check_output("mkdir -p $(dirname %s) && printf %%s %s > %s", path, text, path)


@pytest.fixture(scope="module", autouse=True)
def production() -> Iterator[dict[str, Any]]:
    """What runs on the hosts, brought there without this collection; it is as it was in the end."""
    address = {name: _address(name) for name in FOREIGN}
    write("ss1", "/etc/shadowsocks-libev/config.json", json.dumps({**CONFIG, "server": "0.0.0.0"}))
    host("ss1").check_output("systemctl restart shadowsocks-libev")
    write("ss2", "/etc/mine/office.json", json.dumps({**CONFIG, "server": address["ss2"]}))
    write("ss2", "/etc/systemd/system/ss-server@.service", TEMPLATE)
    host("ss2").check_output("systemctl daemon-reload && systemctl enable --now ss-server@office")
    client = {**CONFIG, "server": address["ss2"], "local_address": "127.0.0.1", "local_port": 1080}
    write("c2", "/etc/mine/client.json", json.dumps(client))
    host("c2").check_output("systemctl disable --now shadowsocks-libev; cp /usr/bin/ss-local /usr/local/bin/ss-local")
    write("c2", "/etc/systemd/system/shadowsocks-libev.service", UNIT)
    host("c2").check_output("systemctl daemon-reload && systemctl enable --now shadowsocks-libev")
    before = {name: (_state.read(name), processes(name)) for name in (*FOREIGN, "c1")}
    yield before
    for name in FOREIGN:
        assert processes(name) == before[name][1], f"a service of somebody else was restarted on {name}"


def _address(name: str) -> str:
    return host(name).check_output("ip -4 -brief address show data").split()[2].partition("/")[0]


def processes(name: str) -> list[str]:
    """The services of others, with their processes."""
    return host(name).check_output("pgrep -a '^ss-' | grep -v /etc/shadowsocks/ || true").splitlines()


def unchanged(before: dict[str, Any]) -> bool:
    """Whether no host has changed at all."""
    return {name: (_state.read(name), processes(name)) for name in before} == before


NAMED = (
    "ss1: nothing was changed on any host",
    "shadowsocks-libev.service (active, starts at boot) is somebody's service (/etc/shadowsocks-libev/config.json is not as",
    "ss-server@main.service cannot listen on",
    "(ss-server, shadowsocks-libev.service). Stop it, or give the instance another port",
    "ss2: nothing was changed on any host",
    "/etc/systemd/system/ss-server@.service is a unit of somebody else (used by ss-server@office.service)",
    "(ss-server, ss-server@office.service). Stop it, or give the instance another port",
    "c2: nothing was changed on any host",
    "/etc/systemd/system/shadowsocks-libev.service is a unit of somebody else",
    "(ss-local, shadowsocks-libev.service). Stop it, or give the instance another port",
)


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_everything_in_the_way_is_named_and_nothing_changes(
    production: dict[str, Any], monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    """Every host is looked at before the first one is touched, also c1, which nothing is wrong with."""
    monkeypatch.setenv("ANSIBLE_STRATEGY", strategy)
    run = play("fastopen.shadowsocks.deploy", *LIMIT)
    assert run.status != 0
    assert [words for words in NAMED if words not in run.words] == []
    assert {figures["changed"] for figures in run.recap.values()} == {0}
    assert unchanged(production)


def test_rollout_names_it_too(production: dict[str, Any]) -> None:
    run = play("fastopen.shadowsocks.rollout", "--limit", "ss1,ss2,c2")
    assert run.status != 0
    assert "ss-server@office.service" in run.words
    assert "Nothing was changed on it" in run.words
    assert {figures["changed"] for figures in run.recap.values()} == {0}
    assert unchanged(production)


def test_role_by_itself(production: dict[str, Any], tmp_path: Path) -> None:
    """The role without the playbook does not touch it either."""
    book = tmp_path / "client.yml"
    book.write_text("- hosts: c2\n  gather_facts: false\n  roles: [fastopen.shadowsocks.ss_client]\n", encoding="utf-8")
    run = play(book)
    assert run.status != 0
    assert "c2: nothing was changed. In the way of the deployment: shadowsocks-libev.service" in run.words
    assert unchanged(production)


def test_beside_services_of_others(production: dict[str, Any]) -> None:
    """On other ports, with the package left alone: ours run beside, with the program that is found first."""
    server = {"name": "main", "port": 9388, "method": "aes-256-gcm", "password": "123"}
    client = {"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1088}
    extra = {"ss_server_instances": [server], "ss_client_instances": [client], "shadowsocks_install": "none"}
    limit = ("--limit", "ss1,c2")
    shown = play("fastopen.shadowsocks.deploy", *limit, "--check", "--diff", **extra)
    assert shown.status == 0
    assert "/etc/shadowsocks/ss-server-main.json" in shown.output
    run = play("fastopen.shadowsocks.deploy", *limit, "--diff", "-vvv", **extra)
    assert run.status == 0
    assert arguments("ss1", "ss-server@main.service")[0] == "/usr/bin/ss-server"
    assert arguments("c2", "ss-local@main.service")[0] == "/usr/local/bin/ss-local"
    assert (
        host("c2").check_output("curl -s -o /dev/null -w '%{http_code}' --socks5 127.0.0.1:1088 http://10.203.2.5/")
        == "200"
    )
    assert '"password": "********"' in run.output
    assert '"password": "123"' not in run.output
    again = play("fastopen.shadowsocks.deploy", *limit, **extra)
    assert {figures["changed"] for figures in again.recap.values()} == {0}
    gone = play(
        "fastopen.shadowsocks.deploy", *limit, **{**extra, "ss_server_state": "absent", "ss_client_state": "absent"}
    )
    assert gone.status == 0
    for name in ("ss1", "c2"):
        assert host(name).check_output("systemctl list-units --no-legend 'ss-*@main.service'") == ""
        left = "find /etc/shadowsocks /var/lib/fastopen.shadowsocks /etc/systemd/system -name '*main*' -o -name 'ss-*@.service'"
        assert host(name).run(left).stdout == ""


def test_program_without_a_package(tmp_path: Path) -> None:
    """Role shadowsocks takes what is there, a client's program alone as well, and installs nothing where it shall not."""
    book = tmp_path / "programs.yml"
    book.write_text(
        "- hosts: c4\n  gather_facts: false\n  vars: {shadowsocks_install: none}\n"
        "  roles: [fastopen.shadowsocks.shadowsocks]\n",
        encoding="utf-8",
    )
    assert "c4: Shadowsocks is not installed, and shadowsocks_install is none" in play(book).words
    program = "/usr/local/bin/ss-local"
    try:
        for said, status in (("--fast-open", 0), ("nothing", 2)):
            host("c4").check_output("printf '#!/bin/sh\\necho %s' > %s && chmod 0755 %s", said, program, program)
            run = play(book)
            assert run.status == status
            assert run.recap["c4"]["changed"] == 0
        assert f"{program} has no --fast-open in its help" in run.words
    finally:
        host("c4").check_output("rm -f %s", program)


HOLD = """
import fcntl, time
with open("/var/lib/dpkg/lock-frontend", "w") as stream:
    fcntl.lockf(stream, fcntl.LOCK_EX)
    time.sleep(90)
"""


def test_apt_waits_for_its_lock() -> None:
    """Unattended upgrades hold it for minutes; the host beside it does not wait (field: B13)."""
    for name in ("c3", "c4"):
        assert host(name).run("dpkg-query --show python3-apt").rc != 0
    host("c3").check_output("systemd-run --quiet --unit=unattended /usr/bin/python3 -c %s", HOLD)
    servers = {
        "name": "main",
        "server": "203.0.113.7",
        "server_port": 8388,
        "method": "aes-256-gcm",
        "local_port": 1080,
    }
    run = play(
        "fastopen.shadowsocks.deploy", "--limit", "c3,c4", ss_client_instances=[{**servers, "password": "a-secret"}]
    )
    assert run.status == 0
    assert "FAILED - RETRYING: [c3]: " in run.words
    assert "RETRYING: [c4]" not in run.words
    for name in ("c3", "c4"):
        assert pids(name)["ss-local@main.service"]
