# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook audit: table and JSON, drift and unreachable hosts by name, audit_strict, and that it changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import _state
import pytest
from _hosts import Play, host, implementation, play

LIMIT = ("--limit", "ss1,c1")


def audit(folder: Path, *arguments: str, **extra: Any) -> tuple[Play, dict[tuple[str, str], dict[str, Any]]]:
    """The run, and the rows of its JSON report by host and side."""
    run = play("fastopen.shadowsocks.audit", *(arguments or LIMIT), rollout_report_dir=str(folder), **extra)
    report = json.loads(max(folder.glob("audit-*.json")).read_text(encoding="utf-8"))
    return run, {(row["host"], row["side"]): row for row in report["rows"]}


def in_table(run: Play, *cells: str) -> bool:
    """Whether the table on the terminal has a line that starts with these cells."""
    return re.search(r"^\s*\"?" + r"\s+".join(map(re.escape, cells)), run.output, re.MULTILINE) is not None


def test_fleet_as_intended(tmp_path: Path) -> None:
    before = {name: _state.read(name) for name in ("ss1", "c1")}
    run, rows = audit(tmp_path, audit_strict=True)
    assert run.status == 0
    assert {figures["changed"] for figures in run.recap.values()} == {0}
    assert {key: (row["intended"], row["actual"], row["state"]) for key, row in rows.items()} == {
        ("ss1", "server"): ("accept", "accept", "ok"),
        ("c1", "client"): ("send", "send", "ok"),
    }
    assert in_table(run, "ss1", "server", "accept", "accept", "ok")
    assert in_table(run, "c1", "client", "send", "send", "ok", "10.203.2.11:8388 fast_open")
    assert {name: _state.read(name) for name in before} == before


@pytest.mark.parametrize(
    ("name", "side", "breakage", "mend", "reason"),
    [
        (
            "c1",
            "client",
            "systemctl stop ss-local@main",
            "systemctl start ss-local@main",
            "intended send, but off runs",
        ),
        (
            "ss1",
            "server",
            "sysctl -w net.ipv4.tcp_fastopen=1",
            f"sysctl -w net.ipv4.tcp_fastopen={3 if implementation('ss1') == 'libev' else 1027}",
            "intended accept, but off runs",
        ),
        (
            "ss1",
            "server",
            "chmod 0644 /etc/shadowsocks/ss-server-main.json",
            "chmod 0640 /etc/shadowsocks/ss-server-main.json",
            "/etc/shadowsocks/ss-server-main.json is 0644",
        ),
    ],
    ids=["stopped", "kernel", "mode"],
)
def test_drift(tmp_path: Path, name: str, side: str, breakage: str, mend: str, reason: str) -> None:
    host(name).check_output(breakage)
    try:
        before = _state.read(name)
        run, rows = audit(tmp_path)
        strict, _rows = audit(tmp_path, audit_strict=True)
        assert _state.read(name) == before
    finally:
        host(name).check_output(mend)
    assert run.status == 0
    assert rows[name, side]["state"] == "drift"
    assert any(line.startswith(reason) for line in rows[name, side]["drift"])
    assert reason in run.output
    assert strict.status != 0
    assert re.search(rf"Not as intended: .*\b{name}\b", strict.words)


def test_unreachable_host_is_named(tmp_path: Path) -> None:
    inventory = tmp_path / "more.yml"
    more = {"shadowsocks_clients": {"hosts": {"c9": {"ansible_host": "10.203.0.99", "ansible_ssh_timeout": 2}}}}
    inventory.write_text(json.dumps(more), encoding="utf-8")
    arguments = ("--inventory", str(inventory), "--limit", "ss1,c9")
    run, rows = audit(tmp_path, *arguments)
    assert rows["c9", "client"]["state"] == "unreachable"
    assert rows["ss1", "server"]["state"] == "ok"
    assert in_table(run, "c9", "client", "?", "?", "unreachable")
    strict, _rows = audit(tmp_path, *arguments, audit_strict=True)
    assert strict.status != 0
    assert re.search(r"Not as intended: .*\bc9\b", strict.words)


@pytest.mark.skipif(implementation("ss1") != "rust", reason="of libev there is no archive")
def test_another_archive_is_named_and_refused_until_it_is_deployed(tmp_path: Path) -> None:
    before = {name: _state.read(name) for name in ("ss1", "c1")}
    other = {"x86_64": f"sha256:{'0' * 64}", "aarch64": f"sha256:{'0' * 64}"}
    named = {
        "shadowsocks_archive_checksum": other,
        "shadowsocks_archive_url": dict.fromkeys(other, "http://192.0.2.1/x"),
    }
    _run, rows = audit(tmp_path, **named)
    for key, row in rows.items():
        assert row["state"] == "drift", key
        assert any(re.search("shadowsocks-rust is of the archive .*, not of sha256:000", line) for line in row["drift"])
    refused = play("fastopen.shadowsocks.rollout", *LIMIT, rollout_probe_requests=0, **named)
    assert refused.status != 0
    for name in ("ss1", "c1"):
        line = f"{name}: deployed otherwise than the inventory says (shadowsocks-rust): run playbook deploy first"
        assert line in refused.words
    assert {name: _state.read(name) for name in before} == before


@pytest.mark.skipif(implementation("c1") != "rust", reason="libev takes the flag twice")
def test_flag_that_a_variable_brings_as_well_is_named_before_a_restart(tmp_path: Path) -> None:
    """What it warns of is so: the unit does not start then."""
    shell, unit = host("c1"), "ss-local@main.service"
    folder, file = f"/etc/systemd/system/{unit}.d", "/etc/default/fleet"
    command = "/usr/local/bin/sslocal -c /etc/shadowsocks/%%p-%%i.json $ARGS"
    text = f"[Service]\\nEnvironmentFile={file}\\nExecStart=\\nExecStart={command}\\n"
    shell.check_output(f"echo ARGS= > {file}; printf '{text}' > {folder}/override.conf; systemctl daemon-reload")
    try:
        assert play("fastopen.shadowsocks.rollout", *LIMIT, rollout_probe_requests=0).status == 0
        shell.check_output(f"echo ARGS=--tcp-fast-open > {file}")
        _run, rows = audit(tmp_path)
        named = f"{unit}: ARGS in {file} gives --fast-open as well, and sslocal does not start with it twice"
        assert any(line.startswith(named) for line in rows[("c1", "client")]["drift"])
        assert shell.run(f"systemctl restart {unit}; sleep 1; systemctl is-active {unit}").stdout.strip() != "active"
    finally:
        shell.check_output(f"rm {folder}/override.conf {file}; systemctl daemon-reload; systemctl restart {unit}")
        assert play("fastopen.shadowsocks.rollout", *LIMIT, rollout_probe_requests=0).status == 0
