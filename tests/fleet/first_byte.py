# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first byte through each client's tunnel beside the round trip to its server, by what runs on both of its ends."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

FLEET = [sys.executable, str(Path(__file__).parent / "fleet")]
CLIENTS = {"c1": "10.203.2.11", "c2": "10.203.2.12", "c3": "10.203.2.11", "c4": "10.203.2.12"}
"""Each client's server (inventory/group_vars/shadowsocks_clients.yml)."""
PAIRS = {
    "libev": dict.fromkeys(CLIENTS, ("libev", "libev")),
    "rust": dict.fromkeys(CLIENTS, ("rust", "rust")),
    "mixed": {"c1": ("rust", "rust"), "c2": ("rust", "libev"), "c3": ("libev", "rust"), "c4": ("libev", "libev")},
}
"""By IMPLEMENTATION what each client runs, and its server."""
URL = "http://10.203.2.5/"
REQUESTS = 15
_PINGS = f"ping -n -i 0.2 -c {REQUESTS} %s | sed -n 's/.*time=\\([0-9.]*\\) ms/\\1/p'"
_FETCHES = (
    f"for n in $(seq {REQUESTS}); do "
    "curl --silent --show-error --max-time 10 --output /dev/null --write-out '%{time_starttransfer}\\n' "
    f"--socks5-hostname 127.0.0.1:1080 {URL}; done"
)
Figures = dict[str, tuple[float, float]]
"""By client the median first byte through the running tunnel and the median round trip to its server, in ms."""


def measure() -> Figures:
    """Ask all clients, one after the other."""
    found = {}
    for client, server in CLIENTS.items():
        first_byte = statistics.median(_on_host(client, "sh", "-c", _FETCHES)) * 1000
        found[client] = (first_byte, statistics.median(_on_host(client, "sh", "-c", _PINGS % server)))
    return found


def table(implementation: str, before: Figures, after: Figures) -> list[str]:
    """What each client gained against its round-trip time."""
    heads = f"{'plain':>9}{'TFO':>9}{'saved':>9}{'round trip':>13}{'saved / round trip':>21}"
    lines = [f"First byte through the tunnel (ms, medians of {REQUESTS} requests)", ""]
    lines.append(f"  {'client':<8}{'runs':<7}{'server':<7}{heads}")
    for client, (plain, _trip) in before.items():
        fast, trip = after[client]
        runs, server = PAIRS[implementation][client]
        figures = f"{plain:>9.1f}{fast:>9.1f}{plain - fast:>9.1f}{trip:>13.1f}{(plain - fast) / trip:>21.2f}"
        lines.append(f"  {client:<8}{runs:<7}{server:<7}{figures}")
    return lines


def _on_host(host: str, *command: str) -> list[float]:
    """The numbers that a command prints on a host of the fleet."""
    done = subprocess.run([*FLEET, "exec", host, *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{host}: {done.stderr.strip()}")
    return [float(line) for line in done.stdout.split()]
