# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is not at the terminal of a rollout: asks for its status while it bakes, gets its notifications, reads its metrics."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from _boxes import Run, started

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.append(str(CHECKOUT / "tests/unit/plugins/plugin_utils/rollout"))
from _receiver import Receiver  # noqa: E402  the artifact has no tests

SECRET = re.compile(r"T0K3N|K3Y|embedded-fleet|10\.203\.|fd00:203:")
"""Of the receiver's URL and of the inventory, and addresses."""


class Elsewhere:
    """``variables`` are for the rollout, ``asks`` is for its first bake; its journal is in ``reports``."""

    def __init__(self, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        self.reports, self.textfile, self.receiver = reports, reports / "textfile", Receiver()
        self.textfile.mkdir()
        self.running: list[str] = []
        self.variables: dict[str, Any] = {
            "rollout_notify_url": self.receiver.url,
            "rollout_textfile_directory": str(self.textfile),
        }

    def asks(self) -> None:
        """How it stands, and to be told from now on."""
        self.running = self._metrics()
        command = ["ansible-playbook", "fastopen.shadowsocks.status", "-e", "status_watch=true"]
        command += ["-e", f"rollout_report_dir={self.reports}"]
        self.watch = started(command, ANSIBLE_STDOUT_CALLBACK="fastopen.shadowsocks.rollout")

    def has_followed(self, run: Run) -> None:
        """First how it stood: the step, and what was waited for; then each step as it came, up to the end."""
        shown, _nothing = self.watch.communicate(timeout=120)
        assert self.watch.returncode == 0, shown
        steps = list(run.events[0]["waves"])
        assert re.search(rf"^Step \d of {len(steps)}: (canary|wave \d) \(clients\)", shown, re.MULTILINE), shown
        assert re.search(r"^  waits for    .*, since 20\d\d-", shown, re.MULTILINE), shown
        baked = f"{len(steps)} of {len(steps)}, {steps[-1]}: 1 stepped; waits for the bake, until "
        assert baked in shown, shown
        assert "the run has ended" in shown
        assert "everybody is promoted, or skipped for a reason" in shown

    def has_been_told(self, run: Run) -> None:
        """Once of its beginning, of each step and of its end, and nothing secret."""
        with self.receiver:
            documents = [json.loads(body) for _path, _headers, body in self.receiver.got]
        steps = list(run.events[0]["waves"])
        assert [one["event"] for one in documents] == ["start", *["step_done"] * len(steps), "finished"]
        assert [one["wave"] for one in documents[1:-1]] == steps
        assert {one["run"] for one in documents} == {run.events[0]["run"]}
        assert documents[-1]["outcomes"] == {"promoted": len(run.outcomes())}
        assert not SECRET.search(json.dumps(documents))
        assert not re.search("T0K3N|K3Y", run.output + json.dumps(run.events))

    def has_measured(self, run: Run) -> None:
        """That it ran, and how it ended."""
        name, ended = f'tfo_rollout_info{{run="{run.events[0]["run"]}"}} 1', self._metrics()
        assert name in self.running and name in ended
        assert "tfo_rollout_running 1" in self.running
        assert not any(line.startswith(("tfo_rollout_exit", "tfo_rollout_finished")) for line in self.running)
        assert {"tfo_rollout_running 0", f"tfo_rollout_exit_status {run.status}"} <= set(ended)
        promoted = f'tfo_rollout_hosts{{outcome="promoted"}} {len(run.outcomes())}'
        assert promoted in ended and promoted not in self.running

    def _metrics(self) -> list[str]:
        (path,) = self.textfile.iterdir()
        assert path.name == "fastopen_rollout.prom"
        return path.read_text("utf-8").splitlines()
