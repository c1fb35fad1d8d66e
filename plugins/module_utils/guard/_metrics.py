# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's metrics as a textfile of node_exporter. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _tick

NAME = "fastopen.prom"
STAGES = {"client": ("off", "send"), "server": ("off", "accept")}
BY = ("lease", "guard", "operator", "rollout")


@dataclasses.dataclass(frozen=True)
class Facts:
    """``stages`` and ``intended`` by side, of those sides only that this host has; ``changed`` by side, seconds since the
    epoch; ``undone``: pairs of side and by whom, one a unit; ``counters`` of the kernel by name, as far as it tells them.
    """

    version: str
    kernel: str
    now: float
    stages: t.Mapping[str, str]
    intended: t.Mapping[str, str]
    changed: t.Mapping[str, float]
    counters: t.Mapping[str, int]
    undone: t.Sequence[tuple[str, str]]
    reverts: int
    watching: bool
    paused: bool
    boot_agrees: bool
    kill_switch: bool
    problems: int


def render(facts: Facts) -> str:
    """The text, with our mark in its first line."""
    sides = sorted(facts.stages)
    return _tick.MARK + "".join(
        [
            _family("tfo_info", "gauge", "The collection and the kernel of this host.", [_info(facts)]),
            _family("tfo_stage", "gauge", "The stage that runs.", _set(facts.stages)),
            _family("tfo_stage_intended", "gauge", "The stage that the last rollout confirmed.", _set(facts.intended)),
            _family(
                "tfo_stage_changed_timestamp_seconds",
                "gauge",
                "When the stage that runs last changed.",
                [({"side": side}, round(facts.changed[side])) for side in sides],
            ),
            _family(
                "tfo_syn_data_total",
                "counter",
                "SYNs with data by what became of them, of all programs of this host.",
                _syn_data(facts),
            ),
            _family(
                "tfo_guard_reverts_total", "counter", "Services that the guard has taken off.", [({}, facts.reverts)]
            ),
            _family(_tick.RAN, "gauge", "When the guard last ran.", [({}, round(facts.now))]),
            _family(
                "tfo_guard_watching",
                "gauge",
                "Whether the guard can read the counters that raise its suspicion.",
                [({}, int(facts.watching))],
            ),
            _family(
                "tfo_paused", "gauge", "Whether the kernel has paused TFO after time-outs.", [({}, int(facts.paused))]
            ),
            _family(
                "tfo_undone",
                "gauge",
                "Services that were taken off, and by whom.",
                [({"side": side, "by": by}, list(facts.undone).count((side, by))) for side in sides for by in BY],
            ),
            _family(
                "tfo_boot_agrees",
                "gauge",
                "Whether the next boot sets the bits that are confirmed.",
                [({}, int(facts.boot_agrees))],
            ),
            _family("tfo_kill_switch", "gauge", "Whether the kill switch is on.", [({}, int(facts.kill_switch))]),
            _family("tfo_problems", "gauge", "Problems that status names.", [({}, facts.problems)]),
        ]
    )


Sample = tuple[t.Mapping[str, str], int]


def _info(facts: Facts) -> Sample:
    return {"version": facts.version, "kernel": facts.kernel}, 1


def _set(by_side: t.Mapping[str, str]) -> list[Sample]:
    """One sample a side and stage: 1 for the stage that it is."""
    return [
        ({"side": side, "stage": stage}, int(by_side[side] == stage))
        for side in sorted(by_side)
        for stage in STAGES[side]
    ]


def _syn_data(facts: Facts) -> list[Sample]:
    return [
        (dict(part.split("=") for part in sample[sample.index("{") + 1 : -1].replace('"', "").split(",")), value)
        for sample, name in _tick.SAMPLES.items()
        for value in [facts.counters.get(name)]
        if value is not None
        if any(f'side="{side}"' in sample for side in facts.stages)
    ]


def _family(name: str, kind: str, text: str, samples: t.Sequence[Sample]) -> str:
    if not samples:
        return ""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        told = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels.items())
        lines.append(f"{name}{{{told}}} {value}" if told else f"{name} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """As the text format wants label values."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
