# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports in files: as private as their journals, and there at once or not at all."""

from __future__ import annotations

import datetime
import os
import tempfile

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _page
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal


def page_of(journal: _journal.Journal, page: str = "") -> str:
    """The file that the page of a journal goes to: ``page``, by default beside the journal. Raises JournalError where that is
    the journal itself."""
    path = os.path.abspath(page or f"{os.path.splitext(journal.path)[0]}.html")
    if os.path.realpath(path) == os.path.realpath(journal.path):
        raise _journal.JournalError(
            f"{path} is the journal itself: name another file for its page, with -e report_page=FILE"
        )
    return path


def write(journal: str, page: str = "") -> str:
    """Render a journal into the file ``page``, by default beside it, and give its path. Raises JournalError, OSError."""
    told = _journal.read(journal)
    content, path = _page.render(told, datetime.datetime.now(datetime.timezone.utc)), page_of(told, page)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    return path


def lines(journal: str) -> list[str]:
    """Render a journal beside it, where there is one, and say so in a line. Best effort: it never fails."""
    if not journal:
        return []
    try:
        return [f"Report: {write(journal)}"]
    except Exception as error:  # a report is no part of what it tells of
        said = " ".join(str(error).split())
        return [f"The report could not be written: {type(error).__name__}: {said}"]
