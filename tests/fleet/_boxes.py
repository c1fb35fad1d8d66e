# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the router is told: the round-trip time and the middleboxes on the clients' paths."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from _containers import container
from _machine import FleetError, podman
from _topology import CLIENTS, find

sys.path.append(str(Path(__file__).parent / "roles/router"))
from boxes import KINDS  # noqa: E402  (the router's own module: one list of kinds)
from state import DEFAULT, FILE  # noqa: E402

HELP = "kinds (they add up; `off` removes all of a client's):\n" + "".join(
    f"  {f'{name} {kind.argument}':22} {kind.does}\n" for name, kind in KINDS.items()
)
TRIAL = "iptables -N trial && iptables -A trial -p tcp -j SYNPROXY; status=$?; iptables -F trial; iptables -X trial; "
TRIAL += "exit $status"


def listed(clients: Iterable[str]) -> list[str]:
    """One line a box of these clients."""
    now, lines = time.time(), []
    for entry in sorted(_read()["boxes"], key=lambda entry: entry["client"]):
        if entry["client"] not in clients:
            continue
        number = f" {entry['argument']:g}" if KINDS[entry["kind"]].argument else ""
        wait = entry["start"] - now
        lines.append(f"{entry['client']} {entry['kind']}{number}" + (f" (in {wait:.0f} s)" if wait > 0 else ""))
    return lines


def set_rtt(milliseconds: float) -> None:
    """Another round-trip time, from now on."""
    _write(_read() | {"rtt_ms": milliseconds})


def remove(clients: Iterable[str]) -> None:
    """An honest network again for these clients."""
    state = _read()
    _write(state | {"boxes": [entry for entry in state["boxes"] if entry["client"] not in clients]})


def add(clients: Iterable[str], name: str, argument: float | None, after: float) -> None:
    """A box for each of these clients, in `after` seconds; it replaces one of the same kind."""
    kind = KINDS[name]
    if kind.argument and (argument is None or not 0 <= argument <= kind.most):
        raise FleetError(
            f"{name} needs {kind.argument} between 0 and {kind.most:g}: fleet box CLIENT {name} {kind.argument}"
        )
    if not kind.argument and argument is not None:
        raise FleetError(f"{name} takes no number: fleet box CLIENT {name}")
    state = _read()
    if name == "synproxy":
        _check_synproxy()
    kept = [entry for entry in state["boxes"] if entry["client"] not in clients or entry["kind"] != name]
    start = time.time() + after if after else 0
    entry = {"kind": name, "argument": argument or 0, "start": start}
    new = [entry | {"client": client, "addresses": find(client).attached[CLIENTS][1]} for client in clients]
    _write(state | {"boxes": kept + new})


def _check_synproxy() -> None:
    try:
        _router(TRIAL)
    except FleetError as error:
        raise FleetError(f"this kernel has no SYNPROXY; try: modprobe ipt_SYNPROXY\n{error}") from error


def _read() -> dict:
    return DEFAULT | json.loads(_router(f"cat {FILE} 2>/dev/null || echo '{{}}'"))


def _write(state: dict) -> None:
    """Replace the router's file in one move, so that it never reads half of it."""
    _router(f"mkdir -p {FILE.parent} && cat >{FILE}.new && mv {FILE}.new {FILE}", json.dumps(state))


def _router(script: str, stdin: str = "") -> str:
    try:
        return podman("exec", "--interactive", container("router"), "sh", "-c", script, stdin=stdin)
    except FleetError as error:
        raise FleetError(f"the router does not run as it should; start the fleet with: fleet up\n{error}") from error
