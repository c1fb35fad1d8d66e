# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook capture: real SYNs with data, counted as tcpdump itself counts them; nothing is left on a host."""

from __future__ import annotations

import os
import re
from pathlib import Path

import _state
import pytest
from _hosts import Play, host, play
from _traffic import captured, from_client

LEFT = "ls -d /tmp/fastopen* /root/.ansible/tmp/fastopen* 2>/dev/null; pgrep -x tcpdump"


def capture(folder: Path, **extra: object) -> Play:
    """A run over a server and its client, told of the folder by a path that begins here."""
    where = os.path.relpath(folder)
    return play(
        "fastopen.shadowsocks.capture", "--limit", "ss1,c1", rollout_report_dir=where, capture_seconds=8, **extra
    )


def test_syns_with_data_are_seen_on_both_sides(tmp_path: Path) -> None:
    before = {name: _state.read(name) for name in ("ss1", "c1")}
    with captured("ss1") as seen:
        run = capture(tmp_path)
    assert run.status == 0
    assert {figures["changed"] for figures in run.recap.values()} == {0}
    told = re.search(r"(\d+) connections to port 8388, (\d+) with data in the SYN, (\d+) of them taken", run.output)
    assert told, run.output
    connections, with_data, taken = map(int, told.groups())
    assert connections >= with_data >= taken >= 5
    assert "from clients to port 8388" in run.output
    assert {path.name for path in tmp_path.iterdir()} == {"capture-ss1-server.pcap", "capture-c1-client.pcap"}
    for path in tmp_path.iterdir():
        assert str(path) in run.output
    lengths = from_client(seen, "c1")
    assert (len(lengths), sum(length > 0 for length in lengths)) == (connections, with_data)
    assert {name: _state.read(name) for name in before} == before
    for name in before:
        assert host(name).run(LEFT).stdout == ""


def test_without_tcpdump_it_says_what_is_missing(tmp_path: Path) -> None:
    path = host("c1").check_output("command -v tcpdump")
    host("c1").check_output(f"mv {path} {path}.away")
    try:
        run = capture(tmp_path)
    finally:
        host("c1").check_output(f"mv {path}.away {path}")
    assert run.status != 0
    assert "there is no tcpdump on this host: install it for the time of the capture" in run.output
    assert (tmp_path / "capture-ss1-server.pcap").exists()
    assert host("c1").run(LEFT).stdout == ""


@pytest.mark.parametrize("seconds", [0, "soon"])
def test_a_wrong_value_is_refused(tmp_path: Path, seconds: object) -> None:
    run = play(
        "fastopen.shadowsocks.capture",
        "--limit",
        "ss1,c1",
        rollout_report_dir=str(tmp_path),
        capture_seconds=seconds,
    )
    assert run.status != 0 and "capture_seconds" in run.output
    assert not list(tmp_path.iterdir())
