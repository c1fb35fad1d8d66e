# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-rulebook with our rulebook on the machine that runs Ansible; it and Java are installed when they are missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _hosts import INVENTORY
from _pinned import pinned

ADDRESS, PORT, TOKEN = "10.203.0.1", 5050, "fleet-7f3a"
START_SECONDS = 120


def ensure() -> Path:
    """The folder of ansible-rulebook's programs."""
    if not shutil.which("java"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
        command = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", "default-jre-headless"]
        subprocess.run(command, check=True, env=quiet, stdout=subprocess.DEVNULL)
    return pinned("event")


class Rulebook:
    """A running ansible-rulebook."""

    def __init__(self, log: Path) -> None:
        """It writes into ``log``."""
        self.log = log

    def said(self) -> str:
        """All that it and its playbooks have printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def plays(self, host: str) -> int:
        """How many playbooks for a host have ended."""
        return sum(line.startswith(f"{host} ") and " ok=" in line for line in self.said().splitlines())

    def post(self, alerts: list[dict[str, str]], token: str = TOKEN) -> int:
        """Tell it of alerts that fire, by their labels, as Alertmanager does: the status of its answer."""
        body = json.dumps({"alerts": [{"status": "firing", "labels": labels} for labels in alerts]})
        return _post(body.encode(), token)


def _post(body: bytes, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{ADDRESS}:{PORT}/alerts", body, headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextmanager
def rulebook(folder: Path) -> Iterator[Rulebook]:
    """It answers inside the block; its log is in the folder."""
    programs = ensure()
    variables: dict[str, Any] = {"event_address": ADDRESS, "event_port": PORT, "event_token": TOKEN}
    (folder / "event.yml").write_text(json.dumps(variables), encoding="utf-8")
    command = [str(programs / "ansible-rulebook"), "--rulebook", "fastopen.shadowsocks.fastopen"]
    command += ["--inventory", str(INVENTORY), "--vars", str(folder / "event.yml")]
    running = Rulebook(folder / "rulebook.log")
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PYTHONPATH": ""}
    with running.log.open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        end = time.monotonic() + START_SECONDS
        while _post(b"{}", "another token") != 401:
            assert process.poll() is None and time.monotonic() < end, running.said()
            time.sleep(0.5)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=30)
