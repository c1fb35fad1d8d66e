# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and commands in words, and places on an axis."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _svg, _words


@pytest.mark.parametrize(
    ("words", "pieces"),
    [
        ("nothing to type", [("nothing to type", False)]),
        (
            "Next: ansible-playbook fastopen.shadowsocks.rollout --limit canary; then wait",
            [
                ("Next: ", False),
                ("ansible-playbook fastopen.shadowsocks.rollout --limit canary", True),
                ("; then wait", False),
            ],
        ),
        (
            "Again: ansible-playbook fastopen.shadowsocks.rollout --limit 'all:!c 3' -e rollout_retry=true",
            [
                ("Again: ", False),
                ("ansible-playbook fastopen.shadowsocks.rollout --limit 'all:!c 3' -e rollout_retry=true", True),
            ],
        ),
    ],
)
def test_commands(words, pieces):
    """Are told from what is around them."""
    assert _words.with_commands(words) == pieces


def test_names():
    """Many are counted, each once."""
    assert _words.named(["a", "b", "a"]) == "a, b"
    assert _words.named("abcdefgh") == "a, b, c, d, e, f and 2 more"


def test_share():
    """In percent; small ones with a digit."""
    assert [_words.share(value) for value in (None, 0, 0.033, 0.95)] == ["–", "0%", "3.3%", "95%"]


@pytest.mark.parametrize(
    ("values", "logarithmic", "ticks"),
    [([100, 104], False, [98, 100, 102, 104, 106]), ([50, 1100], True, [50, 100, 200, 500, 1000]), ([7], False, None)],
)
def test_scale(values, logarithmic, ticks):
    """All values are on it; far apart ones by orders of magnitude."""
    scale = _svg.scale(values, 10, 110)
    assert scale.logarithmic == logarithmic
    assert all(10 <= scale(value) <= 110 for value in values)
    assert scale(values[0]) < scale(values[-1]) or len(values) == 1
    assert ticks is None or scale.ticks() == ticks


def test_steps_of_a_clock():
    """Where they are given."""
    assert _svg.Scale(0, 700, 0, 1).ticks(6, (60, 120, 300)) == [0, 120, 240, 360, 480, 600]


def test_dots_at_one_place_are_drawn_once():
    """And texts are never markup."""
    assert _svg.dots([(1.2, 2), (1.1, 2.2), (5, 6)], "x") == '<path d="M1 2h0M5 6h0" class="x"/>'
    assert _svg.label(1, 2, "<b>&", '"') == '<text x="1" y="2" class="&#34;">&lt;b&gt;&amp;</text>'


@pytest.mark.parametrize(
    ("verdict", "outcomes", "told"),
    [
        ("", ["stepped"], ""),
        ("promote", ["promoted", "failed"], "promoted"),
        ("promote", ["stepped"], "promoted"),
        ("promote", ["skipped", "reverted"], "passed over, nobody was promoted"),
        ("roll_back", ["reverted", "skipped"], "taken back"),
        ("roll_back", ["stepped"], "taken back"),
        ("inconclusive", ["inconclusive"], "undecided, taken back"),
        ("roll_back", ["reverted", "failed"], "taken back, not all of it proven plain"),
        ("inconclusive", ["unreachable", "inconclusive"], "undecided, taken back, not all of it proven plain"),
        ("inconclusive", ["promoted", "unreachable"], "undecided, promoted hosts stay"),
        ("roll_back", ["promoted", "reverted"], "promoted hosts stay"),
        ("inconclusive", ["skipped", "refused"], "undecided, nobody made the step"),
        ("inconclusive", [""], "undecided, nobody made the step"),
        ("else", ["reverted"], ""),
    ],
)
def test_what_a_verdict_came_to(verdict, outcomes, told):
    """By its hosts: a wave in which nobody made the step was not taken back."""
    assert _words.ended(verdict, outcomes) == told
