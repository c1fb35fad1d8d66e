# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests lose when a running service is adopted, beside a bare `systemctl restart` of the same unit.

On the demo fleet, set up as tests/testinfra/_others.py does: WORKERS loops of requests through a client's own ss-local,
one after the other, while its unit, or its server's, is restarted, brought under TFO, or taken back.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "testinfra"))

import _hosts  # noqa: E402  (the tests' helpers are no package)
import _others  # noqa: E402  (likewise)

WORKERS = 20
LOG = "/run/requests.log"
SETTLE_SECONDS = 2.0
TURNS = 3
REQUEST = (
    f"curl -s -o /dev/null --max-time 10 -w '%{{exitcode}} %{{time_total}}\\n' --socks5 127.0.0.1:1080 {_hosts.ORIGIN}"
)


class Lost(NamedTuple):
    """Of ``made`` requests those that failed, and the longest that an answered one took, in seconds."""

    made: int
    failed: int
    longest: float


def during(client: str, action: Callable[[], object]) -> Lost:
    """Requests before, during and after the action."""
    shell = _hosts.host(client)
    loops = f"for n in $(seq {WORKERS}); do (while :; do {REQUEST} >> {LOG}; done) & done; wait"
    shell.check_output(f"rm -f {LOG}; systemd-run --quiet --collect --unit=requests bash -c %s", loops)
    try:
        time.sleep(SETTLE_SECONDS)
        action()
        time.sleep(SETTLE_SECONDS)
    finally:
        shell.check_output("systemctl stop requests")
    rows = [line.split() for line in shell.check_output(f"cat {LOG}").splitlines()]
    good = [float(row[1]) for row in rows if row[0] == "0"]
    return Lost(len(rows), len(rows) - len(good), max(good, default=0.0))


def restart(name: str) -> Callable[[], object]:
    """A bare restart of the host's unit."""
    return lambda: _hosts.host(name).check_output("systemctl restart %s", _others.FIRST[name].units[0])


def play(inventory: Path, playbook: str, limit: str, **extra: object) -> Callable[[], object]:
    """A playbook over one host, measured and baked by nobody."""

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            done = _hosts.play(f"fastopen.shadowsocks.{playbook}", "--limit", limit, inventory=inventory, **extra)
        if done.status != 0:
            raise SystemExit(f"bench: {playbook} over {limit} ended with {done.status}:\n{done.output}")

    return run


def measure(inventory: Path) -> None:
    """Print one row a case: each of them restarts one unit once. ``inventory`` is what discover wrote, a folder."""
    print(f"{WORKERS} requests at a time through c1, median of {TURNS}: failed, of how many, the longest answered one")
    plain = {"rollout_probe_requests": 0, "rollout_retry": True, "rollout_accept_unmanaged": True}
    for name in ("ss1", "c1"):
        cases = {
            f"systemctl restart on {name}": (restart(name), None),
            f"{name} adopted (rollout)": (
                play(inventory, "rollout", name, **plain),
                play(inventory, "rollback", name, rollback_scope="all"),
            ),
        }
        rows: dict[str, list[Lost]] = {case: [] for case in cases}
        for turn in range(TURNS):
            for case, (action, back) in cases.items():
                rows[case].append(during("c1", action))
                if back is not None and not (name == "ss1" and turn == TURNS - 1):  # c1 needs a server that accepts
                    back()
        for case, lost in rows.items():
            made, failed, longest = (statistics.median(column) for column in zip(*lost))
            print(f"  {case:<28} {failed:6.0f} of {made:6.0f}   {1000 * longest:6.0f} ms", flush=True)


def run() -> None:
    """On a fleet of its own, which is taken down after."""
    try:
        subprocess.run([str(_hosts.FLEET), "up"], check=True)
        subprocess.run([str(_hosts.FLEET), "up", "--fresh", *_hosts.MEMBERS], check=True)
        _others.bring_up(_others.FIRST)
        with tempfile.TemporaryDirectory() as scratch:
            inventory = Path(scratch)
            shutil.copy(_hosts.INVENTORY / "hosts.yml", inventory)
            shutil.copytree(_hosts.INVENTORY / "group_vars", inventory / "group_vars")
            for group in ("servers", "clients"):
                (inventory / "group_vars" / f"shadowsocks_{group}.yml").unlink()
            play(inventory, "discover", "ss1,c1")()
            measure(inventory)
    finally:
        subprocess.run([str(_hosts.FLEET), "down"], check=True)
