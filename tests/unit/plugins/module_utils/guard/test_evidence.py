# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What paired attempts prove, and what they do not."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _evidence
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair, Target

AGAINST, FOR, FINE, OUT, NONE = "AF.ox"
PAIRS = {AGAINST: (False, True), FOR: (True, False), FINE: (False, False), OUT: (True, True), NONE: (False, None)}


def made(word):
    """Pairs by their letters: A against, F for, . fine, o out, x carried no data."""
    return [Pair(float(number), *PAIRS[letter]) for number, letter in enumerate(word)]


@pytest.mark.parametrize(
    ("word", "proven"),
    [
        ("A" * 14, True),
        ("A" * 13, False),
        ("x" + "A" * 14, True),
        ("A" * 14 + "." * 80, False),  # 15 % at least
        ("A" * 14 + "." * 78, True),
        ("A" * 14 + "F", False),
        ("A" * 20 + "F" * 2, True),
        ("o" * 40, False),  # an outage
        ("AF" * 50, False),
        ("F" * 40, False),
        ("." * 100, False),
        ("", False),
    ],
)
def test_proof(word, proven):
    """SYNs with data are lost and plain ones pass: more often than a coin falls on one side, and worth a restart."""
    assert _evidence.loses_data(made(word)) is proven


def test_sign_test():
    """Against the binomial distribution's known values."""
    assert _evidence.sign_test(10, 0) == 2**-10
    assert _evidence.sign_test(5, 5) == pytest.approx(0.623046875)
    assert _evidence.sign_test(0, 0) == 1.0


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("", 4),
        ("x...", 0),
        ("xA..", 4),
        ("xA......", 0),
        ("AAAA", 4),
        ("oo", 0),
        ("AAo", 4),
        ("Ao", 0),
        ("xxxx", 0),
        ("A" * 24, 0),
    ],
)
def test_what_a_suspicion_is_worth(word, count):
    """Four pairs; more while they speak against the path; at most 24; none in an outage."""
    assert _evidence.wanted(made(word)) == count


@pytest.mark.parametrize(
    ("word", "good"),
    [("x" + "." * 19, True), ("." * 14, False), ("x" * 20, False), ("." * 20 + "A", False), ("." * 20 + "F", True)],
)
def test_good(word, good):
    """Enough data was carried and none was lost; a plain SYN that was lost is nobody's fault."""
    assert _evidence.is_good(made(word)) is good


@pytest.mark.parametrize(
    ("word", "refused"), [("xxxx", True), (".xxx", True), ("x...", False), ("xxx", False), ("xxxA", False)]
)
def test_refused(word, refused):
    """SYNs arrive, and their data is not taken."""
    assert _evidence.is_refused(made(word)) is refused


def test_evidence_ages():
    """Half an hour; and what seems to come from the future does not count."""
    pairs = made("A" * 20)
    assert len(_evidence.fresh(pairs, 1810.0)) == 10
    assert not _evidence.fresh(pairs, -1.0)
    assert len(_evidence.fresh([pairs[0]] * 500, 1.0)) == _evidence.MOST


def test_words():
    """With figures, and from where."""
    text = _evidence.words(Target("a.service", "203.0.113.7", 8388), "198.51.100.2", made("A" * 14 + "F."))
    assert "203.0.113.7 port 8388" in text
    assert "of 16 pairs 14 with data and 1 plain were lost (from 198.51.100.2)" in text
