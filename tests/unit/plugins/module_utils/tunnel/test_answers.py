# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests add up to, and when a path is not asked any more."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _answers
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._sock_diag import Connection
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import Fetch

FAILED = Fetch(False, None, error="timed out")
BROKEN = Fetch(False, 50.0, 502, "HTTP status 502")


def unseen(ms: float) -> Fetch:
    """Answered, and nothing known of the connection."""
    return Fetch(True, ms, 200)


def seen(lost: int, ms: float = 50.0) -> Fetch:
    """Answered over a connection that had to send segments again."""
    return Fetch(True, ms, 200, connection=Connection(False, lost, 20.0))


@pytest.mark.parametrize(
    ("plain", "fast_open", "decided"),
    [
        pytest.param([seen(0)] * 5, [seen(1)] * 5, True, id="all lost"),
        pytest.param([seen(0)] * 5, [FAILED] * 5, True, id="all failed"),
        pytest.param([seen(0)] * 5, [BROKEN, FAILED, seen(2), seen(1), seen(1)], True, id="of every kind"),
        pytest.param([seen(0)] * 7, [seen(1)] * 5 + [seen(0)] * 2, True, id="stays decided"),
        pytest.param([seen(0)] * 4, [seen(1)] * 5, False, id="too few plain ones"),
        pytest.param([seen(0)] * 5, [seen(1)] * 4, False, id="too few with TFO"),
        pytest.param([seen(0)] * 5, [seen(1)] * 4 + [seen(0)], False, id="one came through"),
        pytest.param([seen(0)] * 4 + [seen(1)], [seen(1)] * 5, False, id="a plain one lost as well"),
        pytest.param([seen(0)] * 4 + [FAILED], [seen(1)] * 5, False, id="a plain one failed as well"),
        pytest.param([FAILED] * 5, [FAILED] * 5, False, id="nothing comes through"),
        pytest.param([seen(1)] + [seen(0)] * 5, [seen(0)] + [seen(1)] * 5, False, id="only the first five count"),
        pytest.param([seen(0)] * 5, [seen(0, ms=2000.0)] * 5, False, id="a slow origin is not the path"),
        pytest.param([unseen(50.0)] * 5, [unseen(550.0)] * 5, True, id="unseen and late"),
        pytest.param([unseen(50.0)] * 5, [unseen(549.9)] * 5, False, id="unseen and not so late"),
        pytest.param(
            [unseen(50.0)] * 4 + [unseen(550.0)], [unseen(1050.0)] * 5, False, id="a plain one unseen and late"
        ),
        pytest.param(
            [unseen(300.0)] * 4 + [unseen(50.0)], [unseen(550.0)] * 5, True, id="later than the fastest plain one"
        ),
        pytest.param([], [seen(1)] * 9, False, id="one kind only"),
    ],
)
def test_decided(plain, fast_open, decided):
    """Only where all with TFO, and no plain one, was late or failed."""
    assert _answers.decided(plain, fast_open) is decided


def test_answers():
    """Each request counts once; an error is told once."""
    answers = _answers.Answers()
    for result in (seen(1), unseen(60.5), FAILED, FAILED, BROKEN):
        answers.add(result, {"RetransSegs": 2, "OutSegs": 7})
    assert (answers.ok, answers.failed, answers.ttfb_ms) == (2, 3, [50.0, 60.5])
    assert answers.errors == ["timed out", "HTTP status 502"]
    assert answers.connections == [{"syn_data": False, "lost": 1, "rtt_ms": 20.0}]
    assert answers.counters == {**dict.fromkeys(_answers.COUNTERS, 0), "RetransSegs": 10}


def test_total():
    """Of all paths, kind by kind; their own figures stay theirs."""
    one = _answers.Answers(2, 1, [10.0, 30.0], {"RetransSegs": 2}, 1, ["a", "b"], [{"lost": 1}])
    other = _answers.Answers(1, 0, [90.0], {"RetransSegs": 1, "TCPTimeouts": 1}, 2, ["b", "c"], [{"lost": 0}])
    late = _answers.Answers(1, 0, [100.0])
    paths = [_answers.Path("a", "ss1", {"plain": one, "fast_open": late}), _answers.Path("b", "ss2", {"plain": other})]
    arms = _answers.total(paths)
    assert arms["plain"] == _answers.Answers(
        3, 1, [10.0, 30.0, 90.0], {"RetransSegs": 3, "TCPTimeouts": 1}, 3, ["a", "b", "c"], [{"lost": 1}, {"lost": 0}]
    )
    assert arms["fast_open"] == late
    assert _answers.saved_ms(arms) == -70.0
    assert [(path.result()["server"], path.result()["saved_ms"]) for path in paths] == [("ss1", -80.0), ("ss2", None)]
    assert paths[1].result()["fast_open"]["ok"] == 0
    assert one.ttfb_ms == [10.0, 30.0]
