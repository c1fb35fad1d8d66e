# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bits as the kernel reads and means them."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _tfo_bits


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("3", 3),
        (" 1027\n", 1027),
        ("0x403", 1027),
        ("0XfF", 255),
        ("010", 8),
        ("00", 0),
        ("-1", -1),
        ("-0x3", -3),
        ("3 # on", 3),
        ("2147483647", 2147483647),
        ("-2147483648", -2147483648),
    ],
)
def test_parse(text: str, number: int) -> None:
    assert _tfo_bits.parse(text) == number


@pytest.mark.parametrize("text", ["", "abc", "3abc", "08", "0x", "0xg", "+3", "3.0", "1_0", "2147483648", "٣"])
def test_parse_refuses_what_the_kernel_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="kernel"):
        _tfo_bits.parse(text)


def test_describe() -> None:
    names = ("send", "accept", "send_without_cookie", "accept_without_cookie", "all_listeners")
    for name, bit in zip(names, (0x1, 0x2, 0x4, 0x200, 0x400)):
        assert _tfo_bits.describe(bit) == {"value": bit, **dict.fromkeys(names, False), name: True}


@pytest.mark.parametrize(
    ("value", "wanted", "result"),
    [
        (1, {"accept": True}, 3),
        (3, {"accept": False}, 1),
        (1, {"send": False, "accept": True}, 2),
        (0x201, {"accept": True, "all_listeners": True}, 0x603),
        (0x103, {"all_listeners": False}, 0x103),
        (-1, {"accept": False}, -3),
        (7, {}, 7),
    ],
)
def test_apply_keeps_the_other_bits(value: int, wanted: dict[str, bool], result: int) -> None:
    wanted = {"send": None, "accept": None, "all_listeners": None, **wanted}
    assert _tfo_bits.apply(value, **wanted) == result
