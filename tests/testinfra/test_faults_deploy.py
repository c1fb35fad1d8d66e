# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on which a deployment cannot succeed: docs/faults-connection.md has a row for each.

ss1, ss2 and c1 run what the inventory says; c2, c3 and c4 have no Shadowsocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _faults
import _state
import pytest
from _hosts import host, play
from _seen import is_up, pids
from _traffic import fetch

RUNNING = ("ss1", "ss2", "c1")
LIMIT = ("--limit", "ss1,ss2,c1,c2,c3,c4")
PASSWORD = "sudo-password-of-c4"
SOURCES = "/etc/apt/sources.list"
HOLD = """
import fcntl, time
with open("/var/lib/dpkg/lock-frontend", "w") as stream:
    fcntl.lockf(stream, fcntl.LOCK_EX)
    time.sleep(3600)
"""
INTERRUPTED = "/var/lib/dpkg/updates/0001"
"""dpkg leaves such files where it is killed, and apt refuses to work while one is there."""


@pytest.fixture(scope="module", autouse=True)
def running() -> Iterator[dict[str, dict[str, str]]]:
    """By host what runs there in the beginning, as processes; in the end that is so still."""
    assert play("fastopen.shadowsocks.deploy", "--limit", ",".join(RUNNING)).status == 0
    before = {name: pids(name) for name in RUNNING}
    yield before
    assert {name: pids(name) for name in ("ss1", "c1")} == {name: before[name] for name in ("ss1", "c1")}


def test_no_apt(tmp_path: Path) -> None:
    """The package cannot be had: refused by name before any host is touched, by deploy and by rollout."""
    more = _faults.inventory(tmp_path, {"c3": _faults.without_apt("c3")})
    before = {name: _state.read(name) for name in ("c2", "c3")}
    run = play("fastopen.shadowsocks.deploy", "--limit", "c2,c3", *more)
    assert run.status != 0
    assert "c3: nothing was changed on any host" in run.words
    assert "ss-local is not installed, and apt-get, which shadowsocks_install: package takes, is not here" in run.words
    alone = play("fastopen.shadowsocks.rollout", "--limit", "c3", *more)
    assert alone.status != 0
    assert "c3: ss-local is not installed, and apt-get" in alone.words
    for one in (run, alone):
        assert {figures["changed"] for figures in one.recap.values()} == {0}
    assert {name: _state.read(name) for name in before} == before


def test_one_machine_under_two_names(tmp_path: Path) -> None:
    """Nothing is changed on any host, for its names would overwrite one another's services."""
    before = {name: _state.read(name) for name in ("c2", "c3")}
    more = _faults.inventory(tmp_path, {"c9": {"ansible_host": "10.203.0.22"}})
    run = play("fastopen.shadowsocks.deploy", "--limit", "c2,c3,c9", *more)
    assert run.status != 0
    assert "no host was changed: c2, c9 are names of one machine" in run.words
    assert {name: _state.read(name) for name in before} == before


def test_hosts_that_cannot_be_worked_on(running: dict[str, Any], tmp_path: Path) -> None:
    """Each is named and left as it is, and the others go on."""
    nobody = {"ansible_host": "10.203.0.99", "ansible_ssh_timeout": 3}
    clients = {"c3": _faults.with_old_python("c3"), "c4": _faults.without_sudo("c4", PASSWORD), "c9": nobody}
    more = _faults.inventory(tmp_path, clients, {"ss9": {**nobody, "data_address": "10.203.1.99"}})
    before = {name: _state.read(name) for name in ("c3", "c4")}
    run = play("fastopen.shadowsocks.deploy", "--limit", "ss1,ss9,c1,c3,c4,c9", *more, "-vvv")
    assert run.status == 4
    amiss = {name: (figures["failed"], figures["unreachable"]) for name, figures in run.recap.items()}
    assert amiss == {"ss1": (0, 0), "ss9": (0, 1), "c1": (0, 0), "c3": (1, 0), "c4": (1, 0), "c9": (0, 1)}
    assert "Python is 3.8" in run.words
    assert "ops is not in the sudoers file" in run.words
    assert PASSWORD not in run.output
    assert run.recap["c1"]["ok"] > run.recap["c3"]["ok"] + 3
    assert {name: _state.read(name) for name in before} == before


def test_systemd_that_is_too_old() -> None:
    """Refused by name before it is touched, by deploy and by rollout."""
    before = _state.read("c4")
    with _faults.old_systemd("c4"):
        runs = [play(f"fastopen.shadowsocks.{name}", "--limit", "c4") for name in ("deploy", "rollout")]
    for run in runs:
        assert run.status != 0
        assert "systemd is 245 on this host, and fastopen.shadowsocks needs 247 or later" in run.words
    assert _state.read("c4") == before


@pytest.fixture
def amiss() -> Iterator[None]:
    """c2 reaches no mirror, on c3 dpkg was interrupted, on c4 somebody holds apt's lock and does not let it go."""
    host("c2").check_output("cp -a %s %s.kept && echo 'deb http://127.0.0.1:9/debian trixie main' > %s", *[SOURCES] * 3)
    host("c3").check_output("dpkg-query --status dpkg > %s", INTERRUPTED)
    host("c4").check_output("systemd-run --quiet --collect --unit=unattended /usr/bin/python3 -c %s", HOLD)
    yield
    host("c2").check_output("mv %s.kept %s", SOURCES, SOURCES)
    host("c3").check_output("dpkg --configure -a")
    host("c4").check_output("systemctl stop unattended")


def test_each_is_named_and_the_others_go_on(amiss: None, running: dict[str, Any], tmp_path: Path) -> None:
    """ss2 gets a config with which it does not come up, and runs its old one. What runs elsewhere is not touched."""
    server = {"name": "main", "port": 8388, "method": "aes-256-gcm", "password": "embedded-fleet-ss2"}
    bad = {"ss_server_instances": [{**server, "address": "10.203.2.12", "plugin": "false"}]}
    config = "sha256sum /etc/shadowsocks/ss-server-main.json"
    before = host("ss2").check_output(config)
    more = _faults.inventory(tmp_path, {}, {"ss2": bad})
    run = play("fastopen.shadowsocks.deploy", *LIMIT, "-vvv", *more, __shadowsocks_lock_retries=1)
    assert run.status != 0
    assert {name: figures["failed"] for name, figures in run.recap.items()} == {
        **dict.fromkeys(("ss1", "c1"), 0),
        **dict.fromkeys(("ss2", "c2", "c3", "c4"), 1),
    }
    assert "ss-server@main.service does not come up" in run.words
    assert "files are put back, and what ran before runs again" in run.words
    assert "127.0.0.1" in run.words  # the mirror
    assert "you must manually run 'dpkg --configure -a'" in run.words
    assert "RETRYING: [c4]" in run.words and "/var/lib/dpkg/lock-frontend" in run.words
    assert "embedded-fleet" not in run.output
    assert host("ss2").check_output(config) == before
    assert is_up("ss2", "ss-server@main.service")
    assert fetch("c1") == "origin"


def test_after_the_mend() -> None:
    """The same again: everybody runs, and nobody who did is restarted."""
    run = play("fastopen.shadowsocks.deploy", *LIMIT)
    assert run.status == 0
    assert {name: figures["changed"] for name, figures in run.recap.items() if name in RUNNING} == dict.fromkeys(
        RUNNING, 0
    )
    for client in ("c2", "c3", "c4"):
        assert is_up(client, "ss-local@main.service")
        assert fetch(client) == "origin"
