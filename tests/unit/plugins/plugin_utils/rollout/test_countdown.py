# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A countdown of which the clock and the terminal are made up."""

from __future__ import annotations

import io

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._countdown import Countdown, can_redraw


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Moves on when somebody waits, and says from ``stopped_at`` on that it was stopped."""

    def __init__(self, stopped_at: float) -> None:
        self.now = 0.0
        self.stopped_at = stopped_at

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.stopped_at


@pytest.mark.parametrize(
    ("seconds", "stopped_at", "drawn"),
    [
        pytest.param(300, 4, [299, 298, 297], id="stopped early"),
        pytest.param(2, 5, [1, 0, 0, 0], id="the action takes longer"),
        pytest.param(300, 1, [], id="nothing was waited for"),
    ],
)
def test_drawn(seconds, stopped_at, drawn):
    """A line a second over the one before, cleared at the end; nothing to clear where nothing was drawn."""
    clock, terminal = Clock(stopped_at), Terminal()
    Countdown(terminal, clock).draw(seconds, clock.wait)
    assert terminal.getvalue() == "".join(f"\r\x1b[K  baking, {left} s left\r" for left in drawn) + "\r\x1b[K" * bool(
        drawn
    )


def test_stop_ends_the_thread():
    """Also twice, and without a start; it can begin again."""
    countdown = Countdown(Terminal())
    countdown.stop()
    for _round in range(2):
        countdown.start(300)
        thread = countdown._thread
        countdown.stop()
        countdown.stop()
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("stream", "environment", "wanted"),
    [
        pytest.param(Terminal(), {"TERM": "xterm"}, True, id="terminal"),
        pytest.param(Terminal(), {"TERM": "dumb"}, False, id="dumb"),
        pytest.param(Terminal(), {}, False, id="unknown terminal"),
        pytest.param(Terminal(), {"TERM": "xterm", "CI": "true"}, False, id="CI"),
        pytest.param(io.StringIO(), {"TERM": "xterm"}, False, id="pipe"),
    ],
)
def test_can_redraw(stream, environment, wanted):
    """Only on a terminal of a person."""
    assert can_redraw(stream, environment) is wanted
