# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports in a real browser: of a good, a reverted and a refused run, of one that was killed, of an audit, and of a real run.

The screenshots stay in $FASTOPEN_CACHE/report; with FASTOPEN_PICTURES set, those of docs are written anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _browser import Missing, ensure_packages, ensure_programs, look
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _written
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Run
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report import _rollouts

RECORDED = Path(__file__).parent / "recorded" / "rollout.jsonl"
DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = {"top.png": "report.png", "wave.png": "report-wave.png"}
MOST_BYTES = 140_000
STORIES = {
    "good": "Done",
    "reverted": "Stopped at wave 2: taken back",
    "refused": "Ended, with 1 host refused",
    "everybody_refused": "Refused: nothing was changed",
    "killed": "Ended without an end",
    "audit": "1 host not as intended",
    "recorded": "Ended, with 1 host not promoted",
}
WITH_WAVES = ("good", "reverted", "refused", "killed", "recorded")


@pytest.fixture(scope="module", name="browser")
def fixture_browser() -> tuple[str, Path]:
    """Chromium, and the packages that drive it."""
    try:
        chromium = ensure_programs()
    except Missing as missing:
        pytest.skip(str(missing))
    return chromium, ensure_packages()


@pytest.fixture(scope="module", name="run")
def fixture_run() -> Iterator[Run]:
    """Runs actions as tasks would."""
    with pytest.MonkeyPatch.context() as context:
        yield Run(context)


def audit(folder: Path) -> None:
    """An audit with drift, a problem and a path."""
    path = _rollouts.AUDITED_PATH
    problem = {"severity": "info", "message": "The cookie key is the kernel's random one.", "remedy": "Set one."}
    good = {**_rollouts.AUDITED, "problems": [problem]}
    bad = {"host": "c1", "side": "client", "intended": "send", "actual": "off", "state": "drift", "paths": [path]}
    rows = [good, {**bad, "drift": ["intended send, but off runs"]}]
    content = {"kind": "audit", "started": "2026-11-26T01:02:03+00:00", "rows": rows}
    (folder / "audit-1.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module", name="page", params=list(STORIES))
def fixture_page(
    request: pytest.FixtureRequest, browser: tuple[str, Path], run: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """A page by its ``kind`` and ``path``, with all that the browser saw of it."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    if kind == "audit":
        audit(folder)
    elif kind == "recorded":
        shutil.copy(RECORDED, folder)
    else:
        getattr(_rollouts, kind)(run, str(folder))
    (journal,) = folder.glob("*.json*")
    path = Path(_written.write(str(journal)))
    kept = Path(os.environ["FASTOPEN_CACHE"]) / "report" / kind
    kept.mkdir(parents=True, exist_ok=True)
    return {"kind": kind, "path": path, "kept": kept, **look(*browser, path, kept)}


def test_page_is_quiet(page: dict[str, Any]) -> None:
    """Nothing on the console, nothing from the network."""
    assert (page["console"], page["requests"]) == ([], [])


def test_accessible(page: dict[str, Any]) -> None:
    """Axe finds nothing, in light and dark, and on a phone, where nothing is wider than the screen."""
    assert (page["violations"], page["wide"]) == ([], [])
    assert page["back"] != "rgb(255, 255, 255)"  # dark
    assert page["printed"] == "rgb(255, 255, 255)"


def test_by_its_roles(page: dict[str, Any]) -> None:
    """What somebody who does not see it is told: what happened, why and what to do next come first."""
    tree, kind = page["tree"], page["kind"]
    assert page["title"].startswith(STORIES[kind])
    parts = [
        "- heading",
        STORIES[kind],
        '"What happened" [level=2]',
        '"What to do next" [level=2]',
        "- code: ansible-playbook",
    ]
    places = [tree.find(part) for part in parts]
    assert -1 not in places and places == sorted(places), tree[:3000]
    assert "- searchbox" in tree
    if kind in WITH_WAVES:
        for part in (
            '- img "Time line of the waves"',
            'heading "Waves" [level=2]',
            '- img "First-byte times of ',
            'heading "What could have gone unseen" [level=2]',
            'table "How ',
            '- columnheader "stage now"',
            '- rowheader "ss1"',
        ):
            assert part in tree, part


def test_complete_without_script(page: dict[str, Any]) -> None:
    """All but the box that searches."""
    lines = [line for line in page["tree"].splitlines() if "search" not in line.lower()]
    without = [line for line in page["unscripted"].splitlines() if "search" not in line.lower()]
    assert set(re.sub(r"^\s*- ", "", line) for line in lines) <= set(
        re.sub(r"^\s*- ", "", line) for line in without
    ) | {
        "paragraph:",
        "status",
    }


def test_search(page: dict[str, Any]) -> None:
    """Rows with the word stay."""
    if page["kind"] in ("good", "reverted", "refused", "audit"):
        assert page["found"] and all("client" in row for row in page["found"])


def test_no_secret(page: dict[str, Any]) -> None:
    """The fleet's password was in its inventory and in what its modules returned."""
    assert MARKER not in page["path"].read_text("utf-8")
    assert MARKER not in page["tree"]


def test_pictures_of_the_documentation(page: dict[str, Any]) -> None:
    """Small; how they look is for people to judge."""
    for shot, name in PICTURES.items() if page["kind"] == "recorded" else ():
        if os.environ.get("FASTOPEN_PICTURES"):
            shutil.copy(page["kept"] / shot, DOCS / name)
        assert 10_000 < (DOCS / name).stat().st_size < MOST_BYTES
