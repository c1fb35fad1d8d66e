# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import log

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy, number, text


@pytest.mark.parametrize(
    ("odds", "shown"), [(230, "230:1"), (1 / 12, "1:12"), (45678, "45678:1"), (1e9, "over 1000000:1")]
)
def test_odds_are_readable(odds: float, shown: str) -> None:
    assert text(log(odds)) == shown
    assert number(log(odds)) == pytest.approx(odds, rel=1e-3)
    assert number(5000.0) < float("inf") and number(-5000.0) > 0


def test_the_last_look_lowers_both_bars() -> None:
    policy = Policy()
    assert policy.harm_odds(20, True) == pytest.approx(log(100))
    assert policy.harm_odds(20, False) > log(100)
    assert policy.safe_odds(False, 20) == pytest.approx(log(25))
    assert (policy.safe_odds(True, 59), policy.safe_odds(True, 60)) == (0.0, pytest.approx(-log(5)))
