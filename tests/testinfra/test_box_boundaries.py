# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed at a task boundary, and the run is made again: everybody ends promoted, or plain.

In the gate at a few boundaries; FASTOPEN_BOUNDARIES=all tries every one of them, a number that many.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import _hosts
import pytest
from _boxes import assert_fast, assert_plain, started
from _seen import arguments, sysctl

LIMIT = "ss2,c2"
TASK = re.compile(r"^(TASK|PLAY) \[(.*)\] \**$")
FEW = 2


def run(playbook: str, reports: Path, kill_at: int | None = None, **extra: object) -> tuple[int, list[str], str]:
    """A playbook, killed when its n-th play or task begins: exit status, the names that began, all that was printed."""
    variables = {"rollout_bake_seconds": 1, "rollout_report_dir": str(reports), "rollout_probe_requests": 5, **extra}
    command = ["ansible-playbook", "--inventory", str(_hosts.INVENTORY), f"fastopen.shadowsocks.{playbook}"]
    command += ["--limit", LIMIT, "--extra-vars", json.dumps(variables)]
    names, lines = [], []
    with started(command) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if TASK.match(line):
                names.append(line.strip(" *\n"))
                if len(names) == kill_at:
                    os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, names, "".join(lines)


def chosen(names: list[str]) -> list[int]:
    """Which boundaries are tried: the last ones at which a wave is judged or ends, or all."""
    wanted = os.environ.get("FASTOPEN_BOUNDARIES", str(FEW))
    every = list(range(2, len(names) + 1))
    if wanted == "all":
        return every
    late = [n for n in every if "wave | Judge" in names[n - 1] or "wave | End" in names[n - 1]]
    return late[-int(wanted) :]


def again(playbook: str, reports: Path, **extra: object) -> str:
    """As an operator would: run it again, and where a host is still held by the run that died, take that over."""
    status, _names, output = run(playbook, reports, **extra)
    held = re.search(r"-e\s+rollout_take_over=(\S+?)[\s.;\"]", output)
    if status != 0 and held:
        status, _names, output = run(playbook, reports, rollout_take_over=held[1], **extra)
    assert status == 0, output
    return output


def plain() -> None:
    """Nothing of a rollout is left on the two hosts."""
    assert_plain("c2")
    assert "--fast-open" not in arguments("ss2", "ss-server@main.service")
    assert sysctl("ss2", "net.ipv4.tcp_fastopen") == "1"


def test_rollout_killed_and_run_again(tmp_path: Path) -> None:
    """From wherever it was: the host's own record and what really runs tell the next run where it is."""
    again("rollback", tmp_path, rollback_scope="all")
    status, names, output = run("rollout", tmp_path)
    assert status == 0, output
    boundaries = chosen(names)
    assert boundaries
    for number in boundaries:
        again("rollback", tmp_path, rollback_scope="all")
        print(f"killed at {number} of {len(names)}: {names[number - 1]}")
        assert run("rollout", tmp_path, kill_at=number)[0] == -signal.SIGKILL
        again("rollout", tmp_path)
        assert_fast("c2")


def test_rollback_killed_and_run_again(tmp_path: Path) -> None:
    """The same the other way."""
    again("rollout", tmp_path)
    status, names, output = run("rollback", tmp_path, rollback_scope="all")
    assert status == 0, output
    every = range(2, len(names) + 1)
    few = [n for n in every if re.search(r"back \| (Take|Keep)", names[n - 1])]  # before and after a way down
    boundaries = list(every) if os.environ.get("FASTOPEN_BOUNDARIES") else few
    assert boundaries
    for number in boundaries:
        again("rollout", tmp_path)
        print(f"killed at {number} of {len(names)}: {names[number - 1]}")
        assert run("rollback", tmp_path, kill_at=number, rollback_scope="all")[0] == -signal.SIGKILL
        again("rollback", tmp_path, rollback_scope="all")
        plain()


@pytest.fixture(scope="module", autouse=True)
def left_plain(tmp_path_factory: pytest.TempPathFactory) -> object:
    """For whoever comes next."""
    yield
    again("rollback", tmp_path_factory.mktemp("end"), rollback_scope="all")
