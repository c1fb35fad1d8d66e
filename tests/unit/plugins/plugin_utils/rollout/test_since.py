# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened on a host between two looks."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._since import since


def look(*services, **counters):
    """What is kept of a look: services as (unit, state, restarts)."""
    named = [{"unit": unit, "state": state, "restarts": restarts} for unit, state, restarts in services]
    return {"services": named, "counters": counters}


@pytest.mark.parametrize(
    ("before", "after", "restarts"),
    [
        pytest.param([("a", "active", 2)], [("a", "active", 2)], 0, id="nothing"),
        pytest.param([("a", "active", 2)], [("a", "active", 5)], 3, id="automatic restarts"),
        pytest.param([("a", "active", 5)], [("a", "active", 0)], 0, id="started on purpose"),
        pytest.param([("a", "active", 0)], [("a", "inactive", 0)], 1, id="gone"),
        pytest.param([("a", "active", 0)], [("a", "failed", 2)], 3, id="restarted, then gone"),
        pytest.param([("a", "inactive", 0)], [("a", "inactive", 0)], 0, id="stopped before and after: no event"),
        pytest.param([("a", "failed", 1)], [("a", "inactive", 1)], 0, id="no worse than before"),
        pytest.param([("a", "inactive", 0)], [("a", "active", 0)], 0, id="started since"),
    ],
)
def test_restarts(before, after, restarts):
    """Only what changed is an event."""
    assert since(look(*before), look(*after))["restarts"] == restarts


def test_counters():
    """What rose; from zero after a reboot."""
    now = look(TCPFastOpenPassive=7, TCPTimeouts=1)
    assert since(look(TCPFastOpenPassive=5, TCPTimeouts=1), now)["counters"] == {"TCPFastOpenPassive": 2}
    assert since(look(TCPFastOpenPassive=9), now)["counters"] == {"TCPFastOpenPassive": 7, "TCPTimeouts": 1}


@pytest.mark.parametrize(
    ("before", "now", "risen"),
    [
        pytest.param(
            {"TCPFastOpenPassive": 9}, {"TCPFastOpenPassive": 9, "EstabResets": 3}, {"EstabResets": 1}, id="quiet"
        ),
        pytest.param({"CurrEstab": 40}, {"CurrEstab": 12, "EstabResets": 3}, {"EstabResets": 1}, id="a gauge fell"),
        pytest.param(
            {"TCPFastOpenPassive": 9, "TCPFastOpenActive": 1},
            {"TCPFastOpenPassive": 2, "TCPFastOpenActive": 4, "EstabResets": 3},
            {"TCPFastOpenPassive": 2, "TCPFastOpenActive": 4, "EstabResets": 3},
            id="one fell: rebooted, whatever the others have reached since",
        ),
    ],
)
def test_what_is_a_reboot(before, now, risen):
    """Only there the figures are all that the kernel has counted."""
    assert since(look(EstabResets=2, **before), look(**now))["counters"] == risen


def test_service_that_was_not_there_before():
    """Every restart of it is one since."""
    assert since(look(), look(("a", "active", 1)))["restarts"] == 1
