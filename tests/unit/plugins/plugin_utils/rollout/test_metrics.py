# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of a run, as a textfile collector reads them."""

from __future__ import annotations

import re
import stat

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _metrics

BEGUN = _metrics.Metrics("20261126T031344-46975", "2026-11-26T03:13:44.500+00:00", {"promoted": 3, "to come": 2})
ENDED = _metrics.Metrics(BEGUN.run, BEGUN.started, {"promoted": 3, "reverted": 1}, "2026-11-26T03:14:44+00:00", 2)
WHILE_RUNNING = """\
# HELP tfo_rollout_info The last rollout that this controller began.
# TYPE tfo_rollout_info gauge
tfo_rollout_info{run="20261126T031344-46975"} 1
# HELP tfo_rollout_running Whether it has no end yet; one that was killed keeps 1.
# TYPE tfo_rollout_running gauge
tfo_rollout_running 1
# HELP tfo_rollout_started_timestamp_seconds When its hosts had been looked at, and its plan was made.
# TYPE tfo_rollout_started_timestamp_seconds gauge
tfo_rollout_started_timestamp_seconds 1795662824.500
# HELP tfo_rollout_hosts Its hosts by outcome, so far.
# TYPE tfo_rollout_hosts gauge
tfo_rollout_hosts{outcome="promoted"} 3
tfo_rollout_hosts{outcome="skipped"} 0
tfo_rollout_hosts{outcome="inconclusive"} 0
tfo_rollout_hosts{outcome="reverted"} 0
tfo_rollout_hosts{outcome="failed"} 0
tfo_rollout_hosts{outcome="refused"} 0
tfo_rollout_hosts{outcome="unreachable"} 0
"""
LINE = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="([^"\\\n]|\\[\\n"])*"\})? -?\d+(\.\d+)?')


def test_while_it_runs():
    """Every outcome is there, and nothing of its end."""
    assert _metrics.render(BEGUN) == WHILE_RUNNING


def test_once_it_has_ended():
    """When, and how."""
    shown = _metrics.render(ENDED)
    for line in (
        "tfo_rollout_running 0",
        "tfo_rollout_finished_timestamp_seconds 1795662884",
        "tfo_rollout_exit_status 2",
        'tfo_rollout_hosts{outcome="reverted"} 1',
    ):
        assert f"\n{line}\n" in shown
    assert all(LINE.fullmatch(line) for line in shown.splitlines())


def test_name_of_a_run_is_a_label():
    """Whatever it is."""
    shown = _metrics.render(_metrics.Metrics('a"b\\c\nd', BEGUN.started, {}))
    assert 'tfo_rollout_info{run="a\\"b\\\\c\\nd"} 1' in shown.splitlines()


def test_file(tmp_path):
    """For the collector, which is another user, to read; at once or not at all."""
    for text in ("one\n", "two\n"):
        _metrics.write(str(tmp_path), text)
    (path,) = tmp_path.iterdir()
    assert (path.name, path.read_text("utf-8"), stat.S_IMODE(path.stat().st_mode)) == (_metrics.FILE, "two\n", 0o644)


def test_file_that_cannot_be(tmp_path):
    """No folder is made, and nothing is left behind."""
    with pytest.raises(OSError):
        _metrics.write(str(tmp_path / "gone"), "x")
    (tmp_path / _metrics.FILE).mkdir()
    with pytest.raises(OSError):
        _metrics.write(str(tmp_path), "x")
    assert [path.name for path in tmp_path.iterdir()] == [_metrics.FILE]
