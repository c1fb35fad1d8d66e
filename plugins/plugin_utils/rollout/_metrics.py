# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as metrics for the textfile collector of node_exporter on the controller."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._times import moment

FILE = "fastopen_rollout.prom"
OUTCOMES = tuple(outcome for outcome in _end.ORDER if outcome != "planned")
"""All that a host may have in the end; that of one with two sides counts for each of them."""
Sample = tuple[dict[str, str], float]
"""Labels and a value."""


@dataclasses.dataclass(frozen=True)
class Metrics:
    """``started`` and ``finished`` are ISO 8601; ``finished`` is '' and ``exit_status`` None while it runs."""

    run: str
    started: str
    outcomes: t.Mapping[str, int]
    finished: str = ""
    exit_status: t.Optional[int] = None


def render(told: Metrics) -> str:
    """The text format of Prometheus (exposition format 0.0.4). What is not known yet is absent."""
    ends: list[Sample] = [({}, moment(told.finished).timestamp())] if told.finished else []
    status: list[Sample] = [] if told.exit_status is None else [({}, told.exit_status)]
    hosts: list[Sample] = [({"outcome": outcome}, told.outcomes.get(outcome, 0)) for outcome in OUTCOMES]
    begins = moment(told.started).timestamp()
    families: tuple[tuple[str, str, list[Sample]], ...] = (
        ("info", "The last rollout that this controller began.", [({"run": told.run}, 1)]),
        ("running", "Whether it has no end yet; one that was killed keeps 1.", [({}, not told.finished)]),
        ("started_timestamp_seconds", "When its hosts had been looked at, and its plan was made.", [({}, begins)]),
        ("finished_timestamp_seconds", "When it ended.", ends),
        ("hosts", "Its hosts by outcome, so far.", hosts),
        ("exit_status", "0: every host is promoted, or skipped for a reason.", status),
    )
    return "".join(_family(f"tfo_rollout_{name}", words, samples) for name, words, samples in families if samples)


def write(directory: str, text: str) -> None:
    """Have it in the directory, all of it at once, for everybody to read. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=f".{FILE}.", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(handle, 0o644)
        os.replace(temporary, os.path.join(directory, FILE))
    except OSError:
        os.unlink(temporary)
        raise


def _family(name: str, words: str, samples: t.Sequence[Sample]) -> str:
    lines = [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{'{' + told + '}' if told else ''} {_number(value)}")
    return "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
