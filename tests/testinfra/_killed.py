# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed where its n-th play or task begins, and what an operator does then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import _hosts
from _boxes import started

_PLUGINS = Path(__file__).parent / "callback"


class Run(NamedTuple):
    """A playbook that has ended: exit status, the names of plays and tasks that began, all it printed."""

    status: int
    names: list[str]
    output: str

    @property
    def killed(self) -> bool:
        """Whether it was."""
        return self.status == -signal.SIGKILL


def run(
    playbook: str,
    limit: str,
    reports: Path,
    kill_at: int = 0,
    at_each: Callable[[], object] | None = None,
    **extra: object,
) -> Run:
    """A playbook over these hosts, killed when its n-th play or task begins; 0: never.

    ``at_each`` is called whenever one begins, and nothing of it happens before that has returned.
    """
    variables = {"rollout_bake_seconds": 1, "rollout_report_dir": str(reports), "rollout_probe_requests": 0, **extra}
    command = ["ansible-playbook", "--inventory", str(_hosts.INVENTORY), f"fastopen.shadowsocks.{playbook}"]
    command += ["--limit", limit, "--extra-vars", json.dumps(variables)]
    names = reports / "begun"
    names.write_text("", encoding="utf-8")
    environment = {
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_CALLBACK_PLUGINS": str(_PLUGINS),
        "ANSIBLE_CALLBACKS_ENABLED": "kill_at",
        "KILL_AT": str(kill_at),
        "KILL_NAMES": str(names),
        "KILL_STOP": "yes" if at_each else "",
    }
    with ThreadPoolExecutor() as pool, started(command, **environment) as process:
        assert process.stdout is not None
        output = pool.submit(process.stdout.read)
        for _stop in _stops(process):
            if at_each:
                at_each()
    return Run(process.returncode, names.read_text(encoding="utf-8").splitlines(), output.result())


def _stops(process: subprocess.Popen[str]) -> Iterator[None]:
    """Each time that it has stopped itself; it is let go on after that."""
    how = os.WSTOPPED | os.WEXITED
    while os.waitid(os.P_PID, process.pid, how | os.WNOWAIT).si_code == os.CLD_STOPPED:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        yield
        os.kill(process.pid, signal.SIGCONT)


def again(playbook: str, limit: str, reports: Path, **extra: object) -> tuple[str, str]:
    """As an operator would: run it again, and take a host over that is still held by the run that died.

    How it went, in words, and all that was printed.
    """
    held = {found for name in limit.split(",") if (found := _holder(name))} if playbook == "rollout" else set()
    assert len(held) < 2, held
    how, more = ("taken over", {"rollout_take_over": held.pop()}) if held else ("run again", {})
    done = run(playbook, limit, reports, **{**extra, **more})
    assert done.status == 0, done.output
    return how, done.output


def _holder(name: str) -> str:
    """The run that holds a host, or ''."""
    shell = _hosts.host(name)
    lease = shell.run("cat /run/fastopen/lease.json")
    return json.loads(lease.stdout)["run"] if lease.rc == 0 else ""
