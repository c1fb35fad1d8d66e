# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in files."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _page, _written
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal


@pytest.fixture(name="journal")
def fixture_journal(tmp_path):
    """One that has just begun."""
    return _journal.start(str(tmp_path), "rollout", {})


def test_beside_its_journal(journal, tmp_path):
    """As private as that is, and nothing else is left; a second page takes its place."""
    for _time in range(2):
        assert _written.lines(journal) == [f"Report: {os.path.splitext(journal)[0]}.html"]
    page = tmp_path / f"{os.path.splitext(journal)[0]}.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert len(list(tmp_path.iterdir())) == 2


def test_lone_surrogate(journal):
    """JSON can hold what no text file can."""
    _journal.append(journal, {"step": "preflight", "refused": {"h": "\ud800"}})
    assert _written.lines(journal)[0].startswith("Report: ")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyError("bug"), RecursionError()])
def test_what_goes_wrong_is_told_in_a_line(journal, monkeypatch, error):
    """It never ends the run."""

    def broken(*_arguments):
        raise error

    monkeypatch.setattr(_page, "render", broken)
    (line,) = _written.lines(journal)
    assert line.startswith(f"The report could not be written: {type(error).__name__}: ")


def test_folder_that_takes_no_file(journal, tmp_path):
    """The page that was there stays, and no half of one."""
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError):
        _written.write(journal, str(tmp_path / "page.html"))
    assert len(list(tmp_path.iterdir())) == 2


def test_run_without_journal():
    """Check mode keeps none."""
    assert _written.lines("") == []
