# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with the guard on them, traffic for it to watch, and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _hosts import INVENTORY, ORIGIN, ROOT, host, play
from _seen import unit

SERVICE = "fastopen-guard.service"
METRICS = "/var/lib/prometheus/node-exporter/fastopen.prom"
STATUS = "/usr/local/lib/fastopen/fastopen status"
UNDOES_SECONDS = 240
"""Far more than it takes, for a busy machine."""


def deploy(*names: str, inventory: Path = INVENTORY, **variables: Any) -> None:
    """Put the guard on hosts, by its role."""
    converge = ROOT / "molecule" / "guard" / "converge.yml"
    done = play(converge, "--limit", ",".join(names), inventory=inventory, **variables)
    assert done.status == 0


@contextmanager
def traffic(client: str) -> Iterator[None]:
    """A request a second through the client, for as long as the block lasts."""
    curl = f"curl --silent --max-time 10 --output /dev/null --socks5 127.0.0.1:1080 {ORIGIN}"
    shell = host(client)
    shell.check_output(
        "systemd-run --quiet --collect --unit=guard-traffic sh -c %s", f"while :; do {curl} & sleep 1; done"
    )
    try:
        yield
    finally:
        shell.check_output("systemctl stop guard-traffic")


def wait(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until it is so."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it does not come about"
        time.sleep(0.5)
    return time.monotonic() - start


def flagged(client: str, name: str = "ss-local@main.service") -> bool:
    """Whether the client's process runs with TFO; in the middle of a restart there may be none."""
    script = f"tr '\\0' ' ' </proc/$(systemctl show -P MainPID {name})/cmdline"
    words = host(client).run("sh -c %s", script).stdout.split()
    return not words or "systemd" in words[0] or "--fast-open" in words


def metrics(name: str) -> dict[str, float]:
    """The samples of the textfile."""
    lines = host(name).check_output("cat %s", METRICS).splitlines()
    return {key: float(value) for key, _blank, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def looks(name: str) -> str:
    """When the guard ran last, by systemd."""
    return unit(name, SERVICE)["ExecMainExitTimestampMonotonic"]


def another_look(name: str) -> None:
    """Wait until it has run again."""
    before = looks(name)
    wait(lambda: looks(name) not in (before, "0"), 90)
