# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scope all: TFO is gone, and nothing that anybody else did, before or since, goes with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import _state
import pytest
from _hosts import host, implementation, play
from _seen import arguments, pids, sysctl

LINES = "/etc/sysctl.d/99-tfo.conf"
LOCAL = "/etc/sysctl.d/local.conf"
MAIN = {
    "name": "main",
    "port": 8388,
    "method": "aes-256-gcm",
    "password": "embedded-fleet-ss1",
    "address": "10.203.2.11",
}
LATER = {**MAIN, "name": "later", "port": 8389}
SETTINGS = {
    "tcp_fastopen_somaxconn": 8192,
    "tcp_fastopen_max_syn_backlog": 8192,
    "tcp_fastopen_key": "00112233-44556677-8899aabb-ccddeeff",
}


def flagged(server: str) -> bool:
    """Whether its TFO is a flag; of rust's servers it is bit 0x400."""
    return implementation(server) != "rust"


def rollout(limit: str, **extra: object) -> str:
    """Roll out over these hosts, each step judged by its own proof; gives what was said."""
    done = play("fastopen.shadowsocks.rollout", "--limit", limit, rollout_probe_requests=0, rollout_retry=True, **extra)
    assert done.status == 0
    return done.words


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    """Plain before and after each test."""
    back()
    yield
    back()


def back() -> None:
    """TFO off, all of it."""
    assert play("fastopen.shadowsocks.rollback", "--limit", "ss1,ss2,c1,c2", rollback_scope="all").status == 0


def test_what_came_later_stays(tmp_path: Path) -> None:
    """An instance deployed since, role tcp_fastopen's settings, a line of the operator's in the same file."""
    role = tmp_path / "role.yml"
    play_of_role = {"hosts": "ss1", "gather_facts": False, "roles": ["fastopen.shadowsocks.tcp_fastopen"]}
    role.write_text(json.dumps([play_of_role]), encoding="utf-8")
    shell = host("ss1")
    rollout("ss1")
    assert play("fastopen.shadowsocks.deploy", "--limit", "ss1", ss_server_instances=[MAIN, LATER]).status == 0
    assert ("--fast-open" in arguments("ss1", "ss-server@main.service")) == flagged("ss1")
    assert "--fast-open" not in arguments("ss1", "ss-server@later.service")
    assert play(role, **SETTINGS).status == 0
    shell.check_output(f"echo '# by hand' >> {LINES}; echo 'net.ipv4.tcp_mtu_probing = 1' >> {LINES}")
    before = _state.read("ss1")
    pid = pids("ss1")["ss-server@later.service"]
    try:
        back()
        after = _state.read("ss1")
        assert pids("ss1")["ss-server@later.service"] == pid
        assert {key: value for key, value in after["sysctls"].items() if before["sysctls"][key] != value} == {
            "/proc/sys/net/ipv4/tcp_fastopen": ["1"]
        }
        text = shell.check_output(f"cat {LINES}")
        assert "net.ipv4.tcp_fastopen =" not in text
        assert text.endswith("# by hand\nnet.ipv4.tcp_mtu_probing = 1")
        assert sysctl("ss1", "net.core.somaxconn") == "8192"
        assert sysctl("ss1", "net.ipv4.tcp_fastopen_key") == SETTINGS["tcp_fastopen_key"]
        assert "ss-server@later.service" in after["unit files"] or "ss-server@later.service" in after["services"]
        gone = set(before["files"]) - set(after["files"])
        assert {path for path in gone if "fastopen" not in path and "zz-fastopen" not in path} <= {
            "/etc/systemd/system/ss-server@main.service.d"
        }
    finally:
        assert play(role, tcp_fastopen_state="restored").status == 0
        shell.check_output(f"rm -f {LINES}")
        assert play("fastopen.shadowsocks.deploy", "--limit", "ss1").status == 0


def test_file_of_a_guide_that_sorts_later(tmp_path: Path) -> None:
    """It gives what is wanted at boot: passes, named in the plan, and no line of ours beside it (field: B5)."""
    del tmp_path
    shell = host("ss2")
    shell.check_output(f"echo 'net.ipv4.tcp_fastopen = {3 if flagged('ss2') else 1027}' > {LOCAL}")
    try:
        before = _state.read("ss2")
        assert f"{LOCAL} stays as it is and decides at boot" in rollout("ss2")
        assert not shell.file(LINES).exists
        assert ("--fast-open" in arguments("ss2", "ss-server@main.service")) == flagged("ss2")
        back()
        assert _state.read("ss2") == before
    finally:
        shell.check_output(f"rm {LOCAL}")


def test_edited_by_the_operator_since() -> None:
    """`systemctl edit` after the rollout: named by audit and by the host itself, renewed by the next rollout, kept at the end."""
    shell, unit, mode = host("ss1"), "ss-server@main.service", {"ss_server_fast_open_mode": "flag"}
    program = arguments("ss1", unit)[0]
    rollout("ss1", **mode)
    shell.check_output(
        f"mkdir -p /etc/systemd/system/{unit}.d; printf '[Service]\\nExecStart=\\nExecStart={program} -v -c "
        f"/etc/shadowsocks/%%p-%%i.json\\n' > /etc/systemd/system/{unit}.d/override.conf; systemctl daemon-reload"
    )
    try:
        named = "ExecStart below our drop-in changed in /etc/systemd/system/ss-server@main.service.d/override.conf"
        assert named in play("fastopen.shadowsocks.audit", "--limit", "ss1", **mode).words
        assert named in " ".join(shell.check_output("/usr/local/lib/fastopen/fastopen status").split())
        rollout("ss1", **mode)
        assert arguments("ss1", unit)[1:-1] == ["-v", "-c", "/etc/shadowsocks/ss-server-main.json", "--fast-open"]
        back()
        assert arguments("ss1", unit)[1:-1] == ["-v", "-c", "/etc/shadowsocks/ss-server-main.json"]
        assert shell.file(f"/etc/systemd/system/{unit}.d/override.conf").exists
    finally:
        shell.check_output(f"rm -r /etc/systemd/system/{unit}.d; systemctl daemon-reload; systemctl restart {unit}")
