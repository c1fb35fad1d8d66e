# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run over two servers and two clients, event by event as the actions write it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._journal import Journal

RUN = "20261126T031344-46975"
STARTED = datetime.datetime(2026, 11, 26, 3, 13, 44, tzinfo=datetime.timezone.utc)
LEASE_SECONDS = 1000


def at(seconds: float) -> datetime.datetime:
    """So long after the run began."""
    return STARTED + datetime.timedelta(seconds=seconds)


def plan(**more: Any) -> dict[str, Any]:
    """The first event."""
    return {
        "step": "preflight",
        "run": RUN,
        "who": "root@ctl",
        "process": "",
        "plan": ["Plan"],
        "hosts": ["ss1", "ss2", "c1", "c2", "c3"],
        "waves": {"batch 1": ["ss1"], "canary": ["c1"], "wave 1": ["c2", "c3"]},
        "lease_seconds": LEASE_SECONDS,
        "refused": {},
        **more,
    }


def wave(name: str, what: str, verdict: str = "", why: tuple[str, ...] = (), **outcomes: str) -> dict[str, Any]:
    """A phase of a wave, with the outcome of each of its hosts."""
    event = {
        "step": name.partition(" ")[0],
        "what": what,
        "name": name,
        "side": "server" if name.startswith("batch") else "client",
        "verdict": verdict,
        "why": list(why),
        "stop": verdict in ("inconclusive", "roll_back"),
        "hosts": {host: {"outcome": outcome, "reasons": []} for host, outcome in outcomes.items()},
    }
    return {**event, "bake_seconds": 300} if what == "stepped" and not verdict else event


def end(stopped: str = "", amiss: dict[str, str] | None = None, **outcomes: str) -> dict[str, Any]:
    """The last event."""
    hosts = [{"host": host, "side": "client", "outcome": outcome, "why": ""} for host, outcome in outcomes.items()]
    following = ["Next: ansible-playbook fastopen.shadowsocks.audit"]
    return {"step": "end", "hosts": hosts, "amiss": amiss or {}, "stopped": stopped, "next": following}


def report(*events: dict[str, Any], every: float = 10) -> Journal:
    """The journal of a run that writes an event so many seconds, the first at its beginning."""
    times = [at(number * every).isoformat(timespec="milliseconds") for number in range(len(events))]
    timed = [{"time": time, **event} for time, event in zip(times, events)]
    return Journal("", "rollout", STARTED.isoformat(timespec="milliseconds"), timed)


def write(path: Path, journal: Journal) -> None:
    """As a run has it on the disk."""
    lines = [{"kind": journal.kind, "started": journal.started, "rows": journal.rows}, *journal.events]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def begun(folder: Path) -> str:
    """The path of a journal that has its plan, and no end yet."""
    path = folder / "rollout-20261126T031344.000Z.jsonl"
    write(path, report(plan()))
    return str(path)
