# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal as one HTML page that needs nothing else: no network, no script; whatever is in a journal is text in it."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import os
import typing as t
from pathlib import Path

import jinja2
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import (
    _plots,
    _read,
    _run,
    _story,
    _told,
    _words,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report._values import (
    mappings,
    number,
    text,
    texts,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _times
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._journal import Journal

TEMPLATES = Path(__file__).resolve().parents[3] / "roles" / "rollout" / "templates" / "report"
CONTROLS = {
    number: "\N{REPLACEMENT CHARACTER}" for number in (*range(32), *range(127, 160)) if chr(number) not in "\n\t"
}
OPEN_UP_TO = 12
"""Longer tables are folded."""


def render(journal: Journal, now: datetime.datetime) -> str:
    """The page of a rollout or of an audit."""
    shown = _rollout(journal, now) if journal.kind == "rollout" else _of_audit(journal)
    environment = _environment()
    script = (TEMPLATES / "search.js").read_text(encoding="utf-8")
    page = environment.get_template(f"{journal.kind}.html.j2").render(
        **shown,
        journal=os.path.basename(journal.path),
        started=journal.started,
        now=now,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        open_up_to=OPEN_UP_TO,
    )
    return page.translate(CONTROLS)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        milliseconds=_words.milliseconds,
        share=_words.share,
        duration=_times.duration,
        utc=_times.utc,
        with_commands=_words.with_commands,
    )
    return environment


def _rollout(journal: Journal, now: datetime.datetime) -> dict[str, t.Any]:
    run = _read.of_journal(journal)
    story = _story.of_run(run, now)
    lacks = [journal.lacks] if journal.lacks else []
    clients = [pair for wave in run.waves if wave.side == "client" for pair in wave.measured.judged]
    return {
        "run": run,
        "utc": datetime.timezone.utc,
        "coverage": not run.unmeasured and any(wave.hosts for wave in run.waves),
        "story": dataclasses.replace(story, happened=[*story.happened, *lacks]),
        "timeline": _plots.timeline(run),
        "waves": [{"told": wave, "plot": _plot(wave), "paths": _paths(wave)} for wave in run.waves],
        "gains": _plots.gains(clients),
        "gaining": clients,
        "left": _told.by_reason(host for host in run.hosts if host.outcome not in ("promoted", _run.TO_COME, "")),
    }


def _plot(wave: _run.Wave) -> t.Any:
    words = f"First-byte times of {wave.name}"
    return _plots.first_bytes(wave.measured.arms, words)


def _paths(wave: _run.Wave) -> list[dict[str, t.Any]]:
    """Each path with its picture, all on one axis."""
    pairs = wave.measured.pairs
    values = [time for pair in pairs for arm in (pair.first, pair.second) for time in arm.ttfb_ms]
    ends = [min(values), max(values)] if values else []
    return [{"pair": pair, "plot": _plots.small(pair, ends)} for pair in pairs]


def _of_audit(journal: Journal) -> dict[str, t.Any]:
    rows = [_row(row) for row in journal.rows]
    states = dict.fromkeys(row["state"] for row in rows)
    return {
        "story": _story.of_audit(rows),
        "rows": rows,
        "states": {state: sum(row["state"] == state for row in rows) for state in states},
    }


def _row(row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the page shows of a row."""
    return {
        **{key: text(row.get(key)) or "?" for key in ("host", "side", "intended", "actual", "state")},
        "drift": texts(row.get("drift")),
        "told": [*texts(row.get("drift")), *texts(row.get("foreign"))],
        "problems": [
            {key: text(one.get(key)) for key in ("severity", "message", "remedy")}
            for one in mappings(row.get("problems"))
        ],
        "paths": [
            {
                **{key: text(one.get(key)) for key in ("host", "port", "verdict")},
                **{key: number(one.get(key)) for key in ("plain_ms", "fast_open_ms")},
            }
            for one in mappings(row.get("paths"))
        ],
    }
