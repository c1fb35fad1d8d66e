# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For how long the counters count."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _uptime

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("uptime", "started", "seconds"),
    [
        pytest.param("5000.25 100.0\n", 0, 5000, id="a host"),
        pytest.param("5000.25 100.0\n", 4000, 1000, id="a container"),
        pytest.param("1000.25 100.0\n", 4000, 1000, id="a container that is told its own uptime"),
        pytest.param("soon\n", 0, None, id="no number"),
        pytest.param("", 0, None, id="empty"),
    ],
)
def test_seconds(tmp_path: pathlib.Path, uptime: str, started: int, seconds: int | None) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "uptime").write_text(uptime)
    fields = ["0"] * 18 + [str(started * TICKS), "0"]
    (tmp_path / "1" / "stat").write_text(f"1 (a ) b) S {' '.join(fields)}\n")
    assert _uptime.seconds(str(tmp_path)) == seconds


def test_no_proc(tmp_path: pathlib.Path) -> None:
    assert _uptime.seconds(str(tmp_path)) is None


def test_this_machine() -> None:
    assert 0 <= (_uptime.seconds() or -1) <= float(pathlib.Path("/proc/uptime").read_text().split()[0]) + 1
