# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path that was bad before the step: that client is left as it is and named, and the others go on."""

from __future__ import annotations

import json
from pathlib import Path

from _boxes import assert_fast, assert_plain, back, box, boxes, rollout
from _hosts import fleet, host, play
from _seen import sysctl

CLIENTS = "c2,c3,c4"


def test_large_syn_data_lost_and_option_stripped_beside_a_slow_path(tmp_path: Path) -> None:
    """One byte in a SYN passes the box of c2, a request does not: only real requests tell."""
    with boxes("c2 drop-data-over 50", "c3 strip", "c4 delay 100"):
        run = rollout(CLIENTS, tmp_path)
        assert run.status == 0
        assert run.outcomes() == {"c2": "skipped", "c3": "skipped", "c4": "promoted"}
        assert "loses SYNs with data" in run.reasons("c2")
        assert "ss1 port 8388: " in run.reasons("c3")  # no_cookie, or data_refused where it has one still
        assert run.reverted() == []
        assert_plain("c2")
        assert_plain("c3")
        assert_fast("c4", 150)
    back("c4")


def test_syn_data_lost_and_synproxy_beside_a_lossy_path(tmp_path: Path) -> None:
    with boxes("c2 drop-data", "c3 synproxy", "c4 loss 3"):
        run = rollout(CLIENTS, tmp_path, rollout_probe_requests=60)  # so few as 20 leave some losses undecided
        assert run.status == 0
        assert run.outcomes() == {"c2": "skipped", "c3": "skipped", "c4": "promoted"}
        assert "syn_dropped: ss2 port 8388" in run.reasons("c2")
        assert "ss1 port 8388" in run.reasons("c3")
        assert_plain("c2")
        box("c3", "off")  # SYNPROXY stalls a connection now and then, with and without TFO
        assert_plain("c3")
        assert_fast("c4")
    back("c4")


def test_bad_client_in_a_wave_of_its_own(tmp_path: Path) -> None:
    """It is passed over and named; the waves after it get TFO, and the run is a good one (field: A15)."""
    with boxes("c2 drop-data"):
        run = rollout(CLIENTS, tmp_path, rollout_client_waves=["10%", "50%", "100%"])
        assert run.status == 0
        assert run.outcomes() == {"c2": "skipped", "c3": "promoted", "c4": "promoted"}
        assert [event["name"] for event in run.events if event.get("what") == "closed"] == ["wave 1", "wave 2"]
        assert_plain("c2")
        assert_fast("c3")
        assert_fast("c4")
    back("c3,c4")


def test_no_canary_left(tmp_path: Path) -> None:
    """Nothing can be learnt from it, so the run stops there."""
    with boxes("c1 drop-option"):
        run = rollout("c1,c3", tmp_path)
        assert run.status != 0
        assert run.verdict() == "inconclusive"
        assert "no canary is left, so nothing can be learnt" in run.words
        assert run.outcomes() == {"c1": "skipped", "c3": "refused"}
        assert_plain("c1")
        assert_plain("c3")


def test_nobody_left(tmp_path: Path) -> None:
    """SYNs with the option lost, and half of the SYNs with data: each client is named, and nobody is touched."""
    with boxes("c2 drop-option", "c4 lose-fast 50"):
        run = rollout("c2,c4", tmp_path)
        assert run.status == 0
        assert run.outcomes() == {"c2": "skipped", "c4": "skipped"}
        assert "syn_dropped" in run.reasons("c2")
        assert "syn_dropped" in run.reasons("c4") or "loses SYNs with data" in run.reasons("c4")
        assert_plain("c2")
        assert_plain("c4")


def test_server_with_syn_cookies_only(tmp_path: Path) -> None:
    """It grants no cookie to itself either, so the run ends before anything is changed and says which server is to go first."""
    host("ss1").check_output("sysctl -qw net.ipv4.tcp_syncookies=2")
    try:
        run = rollout("c3", tmp_path)
    finally:
        host("ss1").check_output("sysctl -qw net.ipv4.tcp_syncookies=1")
    assert run.status != 0
    assert "c3: server ss1 does not accept SYN data yet and is outside of this run's limit" in run.words
    assert [event["step"] for event in run.events] == ["preflight", "end"]
    assert_plain("c3")


def test_client_whose_kernel_must_not_send(tmp_path: Path) -> None:
    """Without 0x1 it cannot be measured before its step, for ss-local with --fast-open would exit: after it, it is."""
    host("c2").check_output("sysctl -qw net.ipv4.tcp_fastopen=2")
    run = rollout("c2", tmp_path)
    assert run.status == 0
    assert run.outcomes() == {"c2": "promoted"}
    assert "promoted c2: gains " in run.words
    assert sysctl("c2", "net.ipv4.tcp_fastopen") == "3"
    assert_fast("c2")
    back("c2")
    assert sysctl("c2", "net.ipv4.tcp_fastopen") == "2"
    host("c2").check_output("sysctl -qw net.ipv4.tcp_fastopen=1")


def test_other_users_ports_and_passwords(tmp_path: Path) -> None:
    """The servers are outside of the limit and are asked all the same, each over its own connection (field: B12)."""
    key = "mkdir -p ~ops/.ssh && cp /root/.ssh/authorized_keys ~ops/.ssh/ && chown -R ops ~ops/.ssh"
    host("ss1").check_output(f"useradd -m -s /bin/bash -p '*' ops && {key} && echo root:become-ss1 | chpasswd")
    host("ss2").check_output("systemd-run --quiet --unit=fleet-2222 /usr/sbin/sshd -D -p 2222")
    others = {
        "ss1": {
            "ansible_user": "ops",
            "ansible_become_method": "ansible.builtin.su",
            "ansible_become_password": "become-ss1",
            "ansible_pipelining": False,
        },
        "ss2": {"ansible_port": 2222},
    }
    more = tmp_path / "others.json"
    more.write_text(json.dumps({"shadowsocks_servers": {"hosts": others}}), encoding="utf-8")
    fleet("exec", "ss2", "sh", "-c", "systemctl stop ssh.socket ssh.service; mkdir -p /run/sshd")
    try:
        run = rollout("c1,c2", tmp_path, more=("--inventory", str(more)))
    finally:
        fleet("exec", "ss2", "systemctl", "start", "ssh")
        host("ss2").check_output("systemctl stop fleet-2222")
    assert run.status == 0
    assert run.outcomes() == {"c1": "promoted", "c2": "promoted"}
    (judged,) = [event["measured"] for event in run.events if event.get("measured") and event["name"] == "canary"]
    assert list(judged["servers_now"]) == ["ss1"]
    assert all(event["measured"]["servers_now"] for event in run.events if event.get("measured"))
    back("c1,c2")


def test_client_that_gets_another_server(tmp_path: Path) -> None:
    """A deployment sends nobody under TFO down a path that loses its SYN data; on a good one TFO stays, to be judged again."""
    to = {
        name: {"ss_client_instances": [{"name": "main", "server": name, "server_instance": "main", "local_port": 1080}]}
        for name in ("ss1", "ss2")
    }
    assert rollout("c3", tmp_path).outcomes() == {"c3": "promoted"}
    with boxes("c3 drop-data"):
        done = play("fastopen.shadowsocks.deploy", "--limit", "c3", **to["ss2"])
        assert (done.status, done.recap["c3"]["changed"]) == (0, 1)
        assert "without TCP Fast Open since its server changed: ss-local@main.service: syn_dropped: ss2" in done.words
        assert_plain("c3")
    assert rollout("c3", tmp_path, **to["ss2"]).outcomes() == {"c3": "promoted"}
    done = play("fastopen.shadowsocks.deploy", "--limit", "c3")
    assert (done.status, done.recap["c3"]["changed"]) == (0, 1)
    assert_fast("c3")
    run = rollout("c3", tmp_path)
    assert run.outcomes() == {"c3": "promoted"}
    assert [event["name"] for event in run.events if event.get("what") == "closed"] == ["wave 1"]
    assert "promoted c3: gains " in run.words
    assert rollout("c3", tmp_path).outcomes() == {"c3": "promoted"}
    back("c3")
