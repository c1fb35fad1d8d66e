# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard keeps on the host, for root only: /var/lib/fastopen/guard/state.json.

A folder of its own: what lies half written in the record's folder is removed by whoever holds the host's lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine, _named, _tick
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record


@dataclasses.dataclass
class Kept:
    """``machine``: what it knows of paths. ``named``: by side what it last saw and cannot mend. ``stages``: by side the stage
    and since when. ``counters``: the kernel's at the last full look, at ``looked``; all times in seconds since the epoch.
    """

    machine: _machine.State = dataclasses.field(default_factory=_machine.State)
    named: dict[str, list[_named.Named]] = dataclasses.field(default_factory=dict)
    stages: dict[str, tuple[str, float]] = dataclasses.field(default_factory=dict)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)
    looked: float = 0.0


def path() -> str:
    """Where it is."""
    return f"{_record.FOLDER}/guard/state.json"


def tick_path() -> str:
    """Where the tick keeps its own."""
    return f"{_record.RUN_FOLDER}/guard/tick"


def load() -> Kept:
    """What was kept. What is damaged is begun anew: a guard that fails for ever guards nothing."""
    try:
        state = _files.read(path())
        return Kept() if state is None or state.link else _parse(json.loads(state.content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Kept()


def _parse(kept: dict[str, t.Any]) -> Kept:
    machine = kept.pop("machine")
    evidence = {
        Target(*key): _machine.Evidence(source, [Pair(*pair) for pair in pairs])
        for key, source, pairs in machine.pop("evidence")
    }
    found = {Target(*key): str(verdict) for key, verdict in machine.pop("found")}
    taken = {unit: _machine.Taken(**one) for unit, one in machine.pop("taken").items()}
    stages = {side: (str(stage), float(since)) for side, (stage, since) in kept.pop("stages").items()}
    return Kept(_machine.State(evidence, found, taken, **machine), stages=stages, **kept)


def store(kept: Kept) -> None:
    """Keep it. Raises OSError."""
    plain = dataclasses.asdict(kept)
    machine = kept.machine
    plain["machine"]["evidence"] = [[key, one.source, one.pairs] for key, one in machine.evidence.items()]
    plain["machine"]["found"] = [[key, verdict] for key, verdict in machine.found.items()]
    os.makedirs(os.path.dirname(path()), mode=0o700, exist_ok=True)
    text = json.dumps(plain, indent=1, sort_keys=True) + "\n"
    _files.write(path(), text.encode(), 0o600, os.geteuid(), os.getegid())


def remove() -> None:
    """Nothing of it stays."""
    for file in (path(), tick_path()):
        with contextlib.suppress(OSError):
            _files.remove(file)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(file))
            os.rmdir(os.path.dirname(os.path.dirname(file)))  # where nothing else is kept


def told() -> t.Optional[dict[str, t.Any]]:
    """What status shows of it, None where it never looked: ``looked`` (the last full look) and ``ticked``, as text;
    ``suspicion`` and the ``threshold`` at which attempts are made; ``paths``, what was found of each; ``taken``, by unit;
    ``named`` and ``reverts``."""
    if not os.path.exists(path()):
        return None
    kept, tick = load(), _tick.read(tick_path())
    machine = kept.machine
    return {
        "looked": when(kept.looked),
        "ticked": when(_number(tick.get("at", ""))),
        "suspicion": round(suspicion(), 1),
        "threshold": round(_machine.threshold(machine, time.time()), 1),
        "paths": [
            {"unit": one.unit, "host": one.host, "port": one.port, "found": word} for one, word in machine.found.items()
        ],
        "taken": {
            unit: {
                "when": when(one.at),
                "why": one.why,
                "returned": when(one.returned) if one.returned else "",
                "not_before": when(one.due),
            }
            for unit, one in machine.taken.items()
        },
        "named": kept.named,
        "reverts": machine.reverts,
    }


def suspicion() -> float:
    """As the last tick has left it."""
    return _number(_tick.read(tick_path()).get("level", ""))


def when(seconds: float) -> str:
    """A time for people: UTC, ISO 8601, whole seconds; '' for never."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
