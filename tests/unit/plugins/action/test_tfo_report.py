# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal rendered by a task, and by the end of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_report
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal


@pytest.fixture(name="journal")
def fixture_journal(tmp_path):
    """One that has just begun."""
    return _journal.start(str(tmp_path), "rollout", {})


def test_newest_beside_it(run, journal, tmp_path):
    """By default."""
    result = run(tfo_report, {}, report_dir=str(tmp_path))
    page = f"{os.path.splitext(journal)[0]}.html"
    assert (result["journal"], result["page"], result["lines"]) == (journal, page, [f"Report: {page}"])
    assert Path(page).exists()


def test_where_it_is_wanted(run, journal, tmp_path):
    """Of the journal that is named."""
    page = tmp_path / "page.html"
    run(tfo_report, {}, journal=journal, page=str(page))
    assert page.exists()


def test_nothing_is_written_in_check_mode(run, journal, tmp_path):
    """It is said what would be."""
    assert (
        run(tfo_report, {}, check_mode=True, report_dir=str(tmp_path))["page"] == f"{os.path.splitext(journal)[0]}.html"
    )
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"report_dir": "/nonexistent"},
            "There is no journal of a rollout in /nonexistent: name its folder as for the rollout, with rollout_report_dir,"
            " or give the file with -e report_journal=FILE",
        ),
        ({"journal": "/nonexistent.json"}, "/nonexistent.json: the journal cannot be read: No such file or directory"),
        ({"page": "/nonexistent/page.html"}, "report_page: /nonexistent/page.html: No such file or directory"),
    ],
)
def test_what_cannot_be(run, journal, arguments, said):
    """Which, and why."""
    with pytest.raises(AnsibleActionFail) as failed:
        run(tfo_report, {}, **{"journal": journal if "page" in arguments else "", **arguments})
    assert str(failed.value) == said


def test_journal_is_not_its_own_page(run, journal, tmp_path):
    """By whatever name: what a run has told is not written over."""
    (tmp_path / "page.html").symlink_to(journal)
    before = Path(journal).read_bytes()
    for page in (journal, str(tmp_path / "page.html")):
        with pytest.raises(AnsibleActionFail, match=f"^{page} is the journal itself: name another file"):
            run(tfo_report, {}, journal=journal, page=page)
    assert Path(journal).read_bytes() == before
