# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals that are read back, among them such as are none."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _journal


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the journal is damaged, it is no JSON"),
        ('{"kind": "rollout", "events": [', "the journal is damaged, it is no JSON"),
        ("[" * 100_000, "the journal is damaged, it is no JSON"),
        ("[1]", "this is no journal of a rollout or an audit"),
        ('{"kind": "other"}', "this is no journal of a rollout or an audit"),
        ('{"kind": ["rollout"]}', "this is no journal of a rollout or an audit"),
        ('{"kind": "rollout", "events": {}}', "the journal is damaged: `events` is no list of mappings"),
        ('{"kind": "audit", "rows": [1]}', "the journal is damaged: `rows` is no list of mappings"),
        (None, "the journal cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_journal(tmp_path, content, said):
    """Which file, and why."""
    path = tmp_path / "rollout-1.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(_journal.JournalError, match=f"^{path}: {said}"):
        _journal.read(str(path))


def test_bytes_that_are_no_text(tmp_path):
    """Damaged as well."""
    path = tmp_path / "rollout-1.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(_journal.JournalError, match="damaged"):
        _journal.read(str(path))


def test_newest(tmp_path):
    """By its name; audits, pages and files that are being written are left out."""
    for name in ("rollout-20261126T1.json", "rollout-20261126T2.json", "audit-3.json", "rollout-4.html", ".x.new"):
        (tmp_path / name).write_text("{}")
    assert _journal.newest(str(tmp_path)) == str(tmp_path / "rollout-20261126T2.json")


def test_no_journal_yet(tmp_path):
    """The folder is named."""
    with pytest.raises(_journal.JournalError, match=f"there is no journal of a rollout in {tmp_path}"):
        _journal.newest(str(tmp_path))
