# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._budget import Budget


@pytest.mark.parametrize(
    ("budget", "bad", "judged", "exceeded"),
    [
        (Budget(), 1, 1, False),
        (Budget(), 2, 20, False),
        (Budget(), 2, 19, True),
        (Budget(0.29), 29, 100, False),
        (Budget(0.29), 30, 100, True),
        (Budget(0.0), 1, 100, False),
        (Budget(0.1, judged=4, bad=1), 1, 5, True),
        (Budget(0.1, judged=30, bad=1), 1, 5, False),
        (Budget(strict=True), 1, 100, True),
        (Budget(strict=True), 0, 1, False),
    ],
)
def test_how_many_may_be_bad(budget: Budget, bad: int, judged: int, exceeded: bool) -> None:
    assert budget.exceeded(bad, judged) == exceeded
