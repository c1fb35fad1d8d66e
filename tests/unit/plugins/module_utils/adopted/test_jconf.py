# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configs as src/json.c reads them; Python's json is the oracle where both agree."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _jconf
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils import _bytes
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("raw", "password"),
    [
        (b'{"password":"a"}', "a"),
        (b'\xef\xbb\xbf{"password":"a"}', "a"),
        (b'{"password":"a",}', "a"),
        (b'{"server":["x",],"password":"a"\r\n,\t}', "a"),
        (b'{"password":"a"}\n\0garbage', "a"),
        (b'{"password":"a\nb"}', "a\nb"),
        (b'{"password":"\\a\\/\\n"}', "a/\n"),
        (b'{"password":"\\u0041\\u00e9\\u20ac"}', "A\u00e9\u20ac"),
        (b'{"password":"\\ud800\\udc01"}', "\U00010001"),
        (b'{"password":"\\u0000x"}', ""),
        (b'{"pass\\u0077ord":"a"}', "a"),
        (b'{"password\\u0000x":"a"}', "a"),
        (b'{"password":"a\xff"}', "a\udcff"),
        (b'{"password":"a","password":"b"}', "b"),
        (b'{"password":"a","password":null}', None),
        (b'{"password":"a","x":{"password":"b"}}', "a"),
        (b'{"password":-}', "0"),
        (b'{"password":-7}', "-7"),
        (b'{"password":4294967297}', "1"),
    ],
)
def test_what_it_takes(raw: bytes, password: str | None) -> None:
    assert _jconf.parse(raw).texts.get("password") == password


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"7",
        b"{} x",
        b"{}{}",
        b"{,}",
        b'{"x":1,,"y":2}',
        b'{"x":1 "y":2}',
        b'{"x":[1 2]}',
        b'{"x":[,1]}',
        b'{"x"}',
        b'{"x":}',
        b"{x:1}",
        b"{'x':1}",
        b'{"x":1}//',
        b'{/**/"x":1}',
        b'{"x":01}',
        b'{"x":1.}',
        b'{"x":+1}',
        b'{"x":NaN}',
        b'{"x":True}',
        b'{"x":"',
        b'{"x":"\\u12"}',
        b'{"x":"\\ud800"}',
        b'{"x":"\\ud800\\n"}',
        b'\xef\xbb\xbf\xef\xbb\xbf{"x":1}',
        b'\xc2\xa0{"x":1}',
        b'{"x":"' + b"x" * _jconf.MOST_BYTES + b'"}',
        b'{"x":' + b"[" * 100_000 + b"}",
    ],
)
def test_where_it_ends(raw: bytes) -> None:
    with pytest.raises(_jconf.Refused):
        _jconf.parse(raw)


def test_a_key_that_stands_twice() -> None:
    """They are fields of one struct: what a shorter list does not overwrite is behind its end."""
    assert _jconf.parse(b'{"server":["a","b"],"server":"c"}').servers == (("c", None),)
    assert _jconf.parse(b'{"server":["a","b:1"],"server":["c",null]}').servers == (("c", None), ("b", "1"))
    assert _jconf.parse(b'{"server":"a","server":[]}').servers == (("a", None),)
    assert _jconf.parse(b'{"mode":"udp_only","mode":"x"}').mode == "udp_only"
    assert _jconf.parse(b'{"mode":"udp_only","mode":null}').mode == "tcp_only"
    assert not _jconf.parse(b'{"fast_open":true,"fast_open":false}').fast_open


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0", max_codepoint=0x1FFFF))


@given(TEXT, st.dictionaries(st.just("x") | st.just("server_x"), JSON), st.booleans(), st.sampled_from([None, 1]))
def test_like_any_json(password: str, others: dict, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps({**others, "password": password}, ensure_ascii=ascii_only, indent=indent)
    assert _jconf.parse(raw.encode("utf-8", "surrogatepass")).texts["password"] == password


@given(_bytes.of(b"{", b"}", b"[", b"]", b":", b",", b'"', b"-1", b"server", b"true", b"\\u", b"\\", b"password"))
def test_any_bytes(raw: bytes) -> None:
    try:
        _jconf.parse(raw)
    except _jconf.Refused as error:
        assert "config" in str(error)


@given(st.text(alphabet="a1:[].", max_size=8))
def test_any_address(text: str) -> None:
    host, port = _jconf.parse_addr(text)
    assert host is not None and host in text and port != ""
