# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans and moments in words."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _times


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (-5, "0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (61.4, "1 min 01 s"),
        (3600, "1 h"),
        (3 * 3600 + 300, "3 h 05 min"),
        (50 * 3600, "2 d 2 h"),
    ],
)
def test_duration(seconds, told):
    """As a clock shows it."""
    assert _times.duration(seconds) == told


def test_moment():
    """In UTC, whatever its zone is."""
    east = datetime.timezone(datetime.timedelta(hours=8))
    assert _times.utc(datetime.datetime(2026, 11, 26, 8, 1, 2, tzinfo=east)) == "2026-11-26 00:01:02 UTC"
