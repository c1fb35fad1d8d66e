# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed at two task boundaries, and the run is made again: everybody ends promoted, or plain.

For the gate; test_killed_everywhere.py tries every boundary there is.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from _boxes import assert_fast, assert_plain
from _killed import again, run
from _seen import arguments, sysctl

LIMIT = "ss2,c2"
MEASURED = {"rollout_probe_requests": 5}
ALL = {"rollback_scope": "all"}


def plain() -> None:
    """Nothing of a rollout is left on the two hosts."""
    assert_plain("c2")
    assert "--fast-open" not in arguments("ss2", "ss-server@main.service")
    assert sysctl("ss2", "net.ipv4.tcp_fastopen") == "1"


def test_rollout_killed_and_run_again(tmp_path: Path) -> None:
    """From the last place where a wave is judged or ends: record and processes tell the next run where the host is."""
    again("rollback", LIMIT, tmp_path, **ALL)
    whole = run("rollout", LIMIT, tmp_path, **MEASURED)
    assert whole.status == 0, whole.output
    late = [n for n, name in enumerate(whole.names, 1) if "wave | Judge" in name or "wave | End" in name]
    again("rollback", LIMIT, tmp_path, **ALL)
    print(f"killed at {late[-1]} of {len(whole.names)}: {whole.names[late[-1] - 1]}")
    assert run("rollout", LIMIT, tmp_path, kill_at=late[-1], **MEASURED).killed
    again("rollout", LIMIT, tmp_path, **MEASURED)
    assert_fast("c2")


def test_rollback_killed_and_run_again(tmp_path: Path) -> None:
    """The same the other way, when the client is back and the server is not."""
    again("rollout", LIMIT, tmp_path, **MEASURED)
    whole = run("rollback", LIMIT, tmp_path, **ALL)
    assert whole.status == 0, whole.output
    late = [n for n, name in enumerate(whole.names, 1) if "back | Take" in name]
    again("rollout", LIMIT, tmp_path, **MEASURED)
    print(f"killed at {late[-1]} of {len(whole.names)}: {whole.names[late[-1] - 1]}")
    assert run("rollback", LIMIT, tmp_path, kill_at=late[-1], **ALL).killed
    again("rollback", LIMIT, tmp_path, **ALL)
    plain()


@pytest.fixture(scope="module", autouse=True)
def left_plain(tmp_path_factory: pytest.TempPathFactory) -> object:
    """For whoever comes next."""
    yield
    again("rollback", LIMIT, tmp_path_factory.mktemp("end"), **ALL)
