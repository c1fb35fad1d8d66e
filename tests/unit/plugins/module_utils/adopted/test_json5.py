# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON5 by the sections of spec.json5.org, and errors that show nothing of the text."""

from __future__ import annotations

import json
import math
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _json5
from hypothesis import given
from hypothesis import strategies as st


def plain(value: t.Any) -> t.Any:
    """With objects as dictionaries."""
    if isinstance(value, _json5.Object):
        return {name: plain(one) for name, one in value.pairs}
    return [plain(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # objects (3) and arrays (4)
        ("{}", {}),
        ("{a: 1, 'b': 2, \"c\": 3,}", {"a": 1, "b": 2, "c": 3}),
        (
            "{$_a1: 1, \u00fcmlaut: 2, \\u0061b: 3, true: 4, Infinity: 5}",
            {"$_a1": 1, "ümlaut": 2, "ab": 3, "true": 4, "Infinity": 5},
        ),
        ("[1, [], {},]", [1, [], {}]),
        # strings (5)
        (r"""'say "x"' """, 'say "x"'),
        (r'''"it's"''', "it's"),
        (r'"\b\f\n\r\t\v\0\x41\u00e4\'\"\\\/\a"', "\b\f\n\r\t\v\0A\u00e4'\"\\/a"),
        ('"one \\\ntwo\\\r\nthree\\\u2028four"', "one twothreefour"),
        (r'"\ud83d\ude00 \uD83D\uDE00"', "\U0001f600 \U0001f600"),
        ('"\u2028"', "\u2028"),
        ('"// no /* comment */"', "// no /* comment */"),
        # numbers (6)
        ("[0, -0, +1, 8388, 0x20C4, -0xF]", [0, 0, 1, 8388, 8388, -15]),
        ("[.5, 5., 1.5e3, 1E-1, -.5]", [0.5, 5.0, 1500.0, 0.1, -0.5]),
        ("[Infinity, -Infinity]", [math.inf, -math.inf]),
        # comments (7) and white space (8)
        ("// one\n{/* two */a/**/: /* * / */ 1 // three\r}\n//", {"a": 1}),
        ("\ufeff\u00a0\v\f\u3000 true\u2029", True),
        ("null", None),
        ("false", False),
    ],
)
def test_values(text: str, expected: t.Any) -> None:
    assert plain(_json5.parse(text)) == expected


def test_names_that_stand_twice_are_kept() -> None:
    assert _json5.parse("{a: 1, a: 2}") == _json5.Object([("a", 1), ("a", 2)])
    assert math.isnan(_json5.parse("NaN"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1, column 1"),
        ("{a: s3cret}", "line 1, column 5"),
        ("{\n  a: 1\n  b: 2}", "line 3, column 3"),
        ("{\r\n  'a' 1}", "line 2, column 7"),
        ("{a: 1} s3cret", "line 1, column 8"),
        ("{1a: 1}", "line 1, column 2"),
        ("{a-b: 1}", "line 1, column 3"),
        ("{\\u0031: 1}", "line 1, column 2"),
        ("{,}", "line 1, column 2"),
        ("[1,,]", "line 1, column 4"),
        ("[", "line 1, column 2"),
        ('"s3cret', "line 1, column 1"),
        ("'s3\ncret'", "line 1, column 1"),
        (r'"s3cret\x4"', "line 1, column 1"),
        (r'"s3cret\u12"', "line 1, column 1"),
        (r'"s3cret\ud83d"', "line 1, column 1"),
        (r'"s3cret\1"', "line 1, column 1"),
        (r'"s3cret\01"', "line 1, column 1"),
        ("01", "line 1, column 1"),
        ("0x", "line 1, column 2"),
        (".", "line 1, column 1"),
        ("1" * 5000, "line 1, column 40"),
        ("truely", "line 1, column 1"),
        ("/* s3cret", "line 1, column 1"),
        ("/ 1", "line 1, column 1"),
        ("# s3cret", "line 1, column 1"),
        ("[" * 100000, "too many brackets"),
    ],
)
def test_refused(text: str, place: str) -> None:
    """By place alone; nothing of the text is kept with the exception either."""
    with pytest.raises(_json5.Json5Error) as raised:
        _json5.parse(text)
    assert place in str(raised.value)
    assert "s3cret" not in repr(raised.value.args) and raised.value.__suppress_context__


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_json_is_json5(value: t.Any) -> None:
    """With escapes and without; what json.dumps leaves alone, JSON5 leaves alone too."""
    for ascii_only in (True, False):
        assert plain(_json5.parse(json.dumps(value, ensure_ascii=ascii_only))) == value
