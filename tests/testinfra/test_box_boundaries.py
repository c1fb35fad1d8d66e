# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed at a few task boundaries, and the run is made again: everybody ends promoted, or plain.

For the gate; test_killed_everywhere.py tries every boundary there is.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _boxes import assert_fast, assert_plain
from _killed import again, run
from _seen import arguments, sysctl

LIMIT = "ss2,c2"
MEASURED = {"rollout_probe_requests": 5}
ALL = {"rollback_scope": "all"}
FEW = 2


def plain() -> None:
    """Nothing of a rollout is left on the two hosts."""
    assert_plain("c2")
    assert "--fast-open" not in arguments("ss2", "ss-server@main.service")
    assert sysctl("ss2", "net.ipv4.tcp_fastopen") == "1"


def test_rollout_killed_and_run_again(tmp_path: Path) -> None:
    """From the last places where a wave is judged or ends: record and processes tell the next run where the host is."""
    again("rollback", LIMIT, tmp_path, **ALL)
    whole = run("rollout", LIMIT, tmp_path, **MEASURED)
    assert whole.status == 0, whole.output
    late = [n for n, name in enumerate(whole.names, 1) if "wave | Judge" in name or "wave | End" in name]
    assert len(late) >= FEW
    for number in late[-FEW:]:
        again("rollback", LIMIT, tmp_path, **ALL)
        print(f"killed at {number} of {len(whole.names)}: {whole.names[number - 1]}")
        assert run("rollout", LIMIT, tmp_path, kill_at=number, **MEASURED).killed
        again("rollout", LIMIT, tmp_path, **MEASURED)
        assert_fast("c2")


def test_rollback_killed_and_run_again(tmp_path: Path) -> None:
    """The same the other way, before and after a way down."""
    again("rollout", LIMIT, tmp_path, **MEASURED)
    whole = run("rollback", LIMIT, tmp_path, **ALL)
    assert whole.status == 0, whole.output
    boundaries = [n for n, name in enumerate(whole.names, 1) if re.search(r"back \| (Take|Keep)", name)]
    assert boundaries
    for number in boundaries:
        again("rollout", LIMIT, tmp_path, **MEASURED)
        print(f"killed at {number} of {len(whole.names)}: {whole.names[number - 1]}")
        assert run("rollback", LIMIT, tmp_path, kill_at=number, **ALL).killed
        again("rollback", LIMIT, tmp_path, **ALL)
        plain()


@pytest.fixture(scope="module", autouse=True)
def left_plain(tmp_path_factory: pytest.TempPathFactory) -> object:
    """For whoever comes next."""
    yield
    again("rollback", LIMIT, tmp_path_factory.mktemp("end"), **ALL)
