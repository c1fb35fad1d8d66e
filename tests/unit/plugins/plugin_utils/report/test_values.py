# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a journal holds, whoever wrote into it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _values


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1", 1.0),
        ("-2.5", -2.5),
        ("1e999", None),
        ("NaN", None),
        ("9" * 400, None),
        ("true", None),
        ('"1"', None),
        ("null", None),
    ],
)
def test_number(written, number):
    """A finite one, or none."""
    assert _values.number(json.loads(written)) == number
