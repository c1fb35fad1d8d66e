# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that cannot be reached or worked on, before, in and after a step: docs/faults-connection.md has a row for each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import _faults
import _state
import pytest
from _boxes import assert_fast, assert_plain, rollout
from _hosts import host, play
from _seen import arguments, sysctl

NOBODY = {"ansible_host": "10.203.0.99", "ansible_ssh_timeout": 3}
PASSWORDS = {"c1": "sudo-password-of-c1", "c3": "sudo-password-of-c3", "ss1": "sudo-password-of-ss1"}
SECRETS = (*PASSWORDS.values(), "embedded-fleet-ss1", "embedded-fleet-ss2")
UNIT = "ss-local@main.service"


@pytest.fixture(scope="module")
def faults() -> dict[str, dict[str, Any]]:
    """By host what is wrong with it."""
    return {
        "c1": _faults.ops("c1", PASSWORDS["c1"]),
        "c2": {"ansible_python_interpreter": "/usr/bin/python3.99"},
        "c3": _faults.without_sudo("c3", PASSWORDS["c3"]),
        "c4": _faults.without_systemd("c4"),
        "c9": NOBODY,
        "origin": _faults.with_old_python("origin"),
    }


def test_hosts_that_cannot_be_worked_on(tmp_path: Path, faults: dict[str, Any]) -> None:
    """Each is named with the reason and left as it is, and the others go on; no password is shown, at -vvv neither."""
    before = {name: _state.read(name) for name in ("c2", "c3", "c4", "origin")}
    more = _faults.inventory(tmp_path, faults, {"ss1": _faults.ops("ss1", PASSWORDS["ss1"])})
    run = rollout("c1,c2,c3,c4,c9,origin", tmp_path, more=(*more, "-vvv"))
    assert run.status != 0
    left = dict.fromkeys(("c2", "c3", "c4", "origin"), "refused")
    assert run.outcomes() == {"c1": "promoted", **left, "c9": "unreachable"}
    assert "/usr/bin/python3.99" in run.reasons("c2")
    assert "ops is not in the sudoers file" in run.reasons("c3")
    assert "systemctl is not on this host" in run.reasons("c4")
    assert "Python is 3.8, and fastopen.shadowsocks needs 3.9 or later" in run.reasons("origin")
    assert "not reached in the preflight: it stays as it is" in run.reasons("c9")
    assert "Mend what is named above, then run it again" in run.words
    assert [secret for secret in SECRETS if secret in run.output] == []
    assert {name: _state.read(name) for name in before} == before
    assert_fast("c1")


def test_one_machine_under_two_names(tmp_path: Path) -> None:
    """Nothing is changed on any host, for its names would undo one another's steps."""
    before = _state.read("c2")
    run = rollout("c2,c9", tmp_path, more=_faults.inventory(tmp_path, {"c9": {"ansible_host": "10.203.0.22"}}))
    assert run.status != 0
    assert "Nothing was changed: c2, c9 are names of one machine" in run.words
    assert _state.read("c2") == before


def test_lost_on_the_way_beside_a_slow_one(tmp_path: Path) -> None:
    """c3 before its step, c4 when that is made to last; c2, with 2 s a round trip, is promoted, and no second run gets in."""
    lost = tmp_path / "lost"
    script = (
        f'[ -e {lost} ] && exit 255\ninput=$(mktemp)\ncat > "$input"\n'
        f'grep -q \'state[\\\\"]*: *[\\\\"]*confirmed\' "$input" && {{ touch {lost}; exit 255; }}\nexec ssh "$@" < "$input"'
    )
    faults = {"c2": _faults.slow(tmp_path, 2.0), "c4": _faults.ssh(tmp_path, "c4", script)}
    other: list[Any] = []
    with _faults.deaf("c3") as make_deaf:
        run = rollout(
            "c2,c3,c4",
            tmp_path,
            lambda: other.append(play("fastopen.shadowsocks.rollout", "--limit", "c2,c3")),
            more=_faults.inventory(tmp_path, faults),
            planned=lambda: make_deaf("c3"),
            rollout_client_waves=[2, "100%"],
        )
    assert lost.exists()
    assert run.status != 0
    assert run.outcomes() == {"c2": "promoted", "c3": "unreachable", "c4": "unreachable"}
    closed = [event for event in run.events if event.get("what") == "closed"]
    assert [(one["name"], one["verdict"]) for one in closed] == [("wave 1", "promote"), ("wave 2", "promote")]
    assert run.reasons("c3").startswith("unreachable before its step: it stays as it is")
    assert "lost while its step was made to last: what is not confirmed there undoes itself" in run.reasons("c4")
    assert "Mend what is named above, then run it again" in run.words
    assert_fast("c2")
    assert_plain("c3")
    assert "--fast-open" in arguments("c4", UNIT)  # under its lease, see below
    (second,) = other
    assert second.status != 0
    assert f"c2: claimed by run {run.events[0]['run']} of " in second.words
    assert {figures["changed"] for figures in second.recap.values()} == {0}


def test_way_back_past_hosts_that_cannot_be_worked_on(tmp_path: Path, faults: dict[str, Any]) -> None:
    """Each is named, and everybody else is plain: the other client, and servers although a client was not reached."""
    more = _faults.inventory(tmp_path, {name: faults[name] for name in ("c1", "c3", "c9")})
    run = play("fastopen.shadowsocks.rollback", "--limit", "c1,c3,c9", *more)
    assert run.status != 0
    assert {name: figures["failed"] for name, figures in run.recap.items()} == {"c1": 0, "c3": 1, "c9": 1}
    assert "c3 is not proven plain: client: " in run.words and "ops is not in the sudoers file" in run.words
    assert "c9 is not proven plain: client: not reached: it goes on as it is, or is back in part only" in run.words
    assert_plain("c1")
    alone = play("fastopen.shadowsocks.rollback", "--limit", "c9,ss2", *more, rollback_scope="all")
    assert alone.status != 0
    assert {name: figures["failed"] for name, figures in alone.recap.items()} == {"c9": 1, "ss2": 0}
    assert "--fast-open" not in arguments("ss2", "ss-server@main.service")
    assert sysctl("ss2", "net.ipv4.tcp_fastopen") == "1"


def test_way_back_past_a_variable_that_cannot_be_read(tmp_path: Path) -> None:
    """A host's own variable keeps that host from going back, by name, and nobody else."""
    more = _faults.inventory(tmp_path, {"c1": {"rollout_probe_url": "{{ of_nobody }}"}})
    run = play("fastopen.shadowsocks.rollback", "--limit", "c1,c2,ss2", *more, rollback_scope="all")
    assert run.status != 0
    assert {name: figures["failed"] for name, figures in run.recap.items()} == {"c1": 1, "c2": 0, "ss2": 0}
    assert (
        "c1 is not proven plain: client: c1: rollout_probe_url: cannot be read: 'of_nobody' is undefined" in run.words
    )


def test_kill_switch_past_a_server_that_is_not_reached(tmp_path: Path) -> None:
    """It is named, and thrown on the other."""
    more = _faults.inventory(tmp_path, {}, {"ss9": {**NOBODY, "data_address": "10.203.1.99"}})
    run = play("fastopen.shadowsocks.rollback", "--limit", "ss1,ss9", *more, rollback_scope="accept")
    assert run.status != 0
    assert {name: figures["failed"] for name, figures in run.recap.items()} == {"ss1": 0, "ss9": 1}
    assert "ss9 was not reached: it goes on as it is, or is switched in part only." in run.words
    assert json.loads(host("ss1").check_output("cat /var/lib/fastopen/record.json"))["killed"]
    assert sysctl("ss1", "net.ipv4.tcp_fastopen") == "1"
    assert (
        play("fastopen.shadowsocks.rollback", "--limit", "ss1", rollback_scope="accept", rollback_lift=True).status == 0
    )


def test_lost_host_undoes_its_step() -> None:
    """Nobody comes to c4 any more: when the lease ends it is plain, by itself."""
    deadline = time.monotonic() + 300
    while host("c4").file("/run/fastopen/lease.json").exists:
        assert time.monotonic() < deadline
        time.sleep(1)
    assert_plain("c4")
