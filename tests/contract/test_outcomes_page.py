# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/outcomes.md names what is really printed, and every outcome, verdict and problem that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._end import ORDER

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("plugins", "roles")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".yml")
)
"""As one text without the places where a string goes on in the next line."""
JOINED = " ".join(re.sub(r'"\s*\n\s*f?"', "", SOURCES).split())


def _section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _printed() -> list[str]:
    rows = _section("Why a client is skipped") + _section("Why a host is refused")
    first = [line.split("|")[1] for line in rows.splitlines() if line.startswith("| `")]
    return [piece for cell in first for piece in re.findall("`([^`]+)`", cell)]


def test_there_are_rows() -> None:
    assert len(_printed()) > 20


@pytest.mark.parametrize("piece", _printed())
def test_what_is_said_to_be_printed_is(piece: str) -> None:
    assert piece in JOINED


def test_every_outcome_and_verdict_is_told() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", _section("Outcomes of a host"), re.MULTILINE)) == set(ORDER)
    told = set(re.findall(r"^\| `(\w+)` \|", _section("Verdicts of a wave"), re.MULTILINE))
    assert told == {"promote", "roll_back", "inconclusive"}


def test_every_problem_is_told() -> None:
    source = (ROOT / "plugins/module_utils/kernel/_problems.py").read_text(encoding="utf-8")
    there = set(re.findall(r'Problem\(\s*"(\w+)"', source))
    source = (ROOT / "plugins/plugin_utils/rollout/_audit.py").read_text(encoding="utf-8")
    there |= set(re.findall(r'"code": "(\w+)"', source))
    assert "undone" in there and there == set(re.findall(r"`(\w+)`", _section("Problems that audit names"))) - {
        "audit_strict",
        "audit",
    }
