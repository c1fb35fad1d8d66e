# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configs as shadowsocks-libev, shadowsocks-rust and the Python programs read them."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_config


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"server": ["::", "0.0.0.0"], "fast_open": true, "mode": "tcp_only"}', True),
        ('\ufeff{"fast_open":true}', True),
        ('{"fast\\u005fopen": true}', True),
        ("{'fast_open' /* on */ : // really\n true,}", True),
        ("{fast_open: true}", True),
        ('{"fast_open": false, "fast_open": true}', True),
        ('{"fast_open": false}', False),
        ('{"fast_open": null}', False),
        ('{"fast_open": 1}', False),
        ('{"password": "\\"fast_open\\": true"}', False),
        ("{/* fast_open: true */ a: 1}", False),
        ('{"servers": [{"fast_open": true}]}', False),
        ('{"url": "http://x", "b": {"c": [1, {}]}}', False),
        ("{}", False),
        ("", None),
        ("[]", None),
        ('"fast_open"', None),
        ('{"a": 1', None),
        ('{"a": 1}}', None),
        ('{"a": [1}', None),
        ('{"a" 1}', None),
        ('{"a": "open}', None),
        ('{"a": 1 "b": 2}', None),
        ('{"a": /* open', None),
        ('{,"a": 1}', None),
        ("{a::1}", None),
    ],
)
def test_fast_open(text: str, found: bool | None) -> None:
    assert _ss_config.fast_open(text.encode()) is found


@pytest.mark.parametrize(
    ("value", "found"), [("1", True), ('"yes"', True), ("[1]", True), ("0", False), ('""', False), ("null", False)]
)
def test_what_is_true_to_python(value: str, found: bool) -> None:
    assert _ss_config.fast_open(f'{{"fast_open": {value}}}'.encode(), truthy=True) is found


def test_bytes_that_are_no_utf8() -> None:
    assert _ss_config.fast_open(b'{"remark": "caf\xe9", "fast_open": true}') is True


def test_a_long_comment_before_an_error_takes_no_time() -> None:
    assert _ss_config.fast_open(b"{//" + b"x" * 500_000 + b'\n"') is None
    assert _ss_config.fast_open(b"{" + b"[" * 500_000) is None
