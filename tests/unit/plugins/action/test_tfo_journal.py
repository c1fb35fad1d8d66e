# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal is kept as well as can be, and stands in nobody's way."""

from __future__ import annotations

import json
import shutil

import pytest
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_journal


def test_begun_and_continued(run, tmp_path):
    """Complete after each event."""
    path = run(tfo_journal, {}, report_dir=str(tmp_path / "new"), event={"step": "preflight"})["path"]
    run(tfo_journal, {}, path=path, event={"step": "wave"})
    with open(path, encoding="utf-8") as stream:
        assert [event["step"] for event in json.load(stream)["events"]] == ["preflight", "wave"]


def test_folder_that_cannot_be_made(run, tmp_path):
    """Before anything is changed that is an error."""
    (tmp_path / "file").touch()
    with pytest.raises(AnsibleActionFail, match="The journal cannot be written"):
        run(tfo_journal, {}, report_dir=str(tmp_path / "file"), event={"step": "preflight"})


def test_folder_that_went_away(run, tmp_path, monkeypatch):
    """Later it is a warning: a revert may come next (field: A10)."""
    warned = []
    monkeypatch.setattr(Display, "warning", lambda _self, said, *_args, **_options: warned.append(said))
    path = run(tfo_journal, {}, report_dir=str(tmp_path / "new"), event={"step": "preflight"})["path"]
    shutil.rmtree(tmp_path / "new")
    assert run(tfo_journal, {}, path=path, event={"step": "wave"})["changed"] is False
    assert ["The journal cannot be written" in said for said in warned] == [True]


def test_check_mode(run, tmp_path):
    """Nothing is written."""
    assert run(tfo_journal, {}, check_mode=True, report_dir=str(tmp_path / "new"), event={})["path"] == ""
    assert not (tmp_path / "new").exists()
