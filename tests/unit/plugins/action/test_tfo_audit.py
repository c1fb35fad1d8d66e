# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit keeps."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_audit
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars


def test_page_beside_the_rows(run, tmp_path):
    """Both are named last."""
    hostvars = Hostvars({"c1": {"__rollout_seen": {"unreachable": True, "msg": "ssh: no route"}}})
    result = run(tfo_audit, {"hostvars": hostvars}, hosts=["c1"], report_dir=str(tmp_path))
    page = f"{result['report'][:-5]}.html"
    assert result["lines"][-2:] == [f"Kept in {result['report']}", f"Report: {page}"]
    assert "c1: ssh: no route" in Path(page).read_text("utf-8")


def test_host_that_was_lost_in_an_earlier_play(run, tmp_path):
    """It is in the table, and amiss where audit is strict."""
    result = run(tfo_audit, {"hostvars": Hostvars({"c1": {}})}, hosts=["c1"], report_dir=str(tmp_path))
    assert result["lines"][1:3] == [
        "c1    ?     ?         ?       failed  -",
        "    it left the run in an earlier play, see above",
    ]
    assert result["wrong"] == ["c1"]
