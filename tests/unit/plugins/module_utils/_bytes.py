# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes for the parsers: any, and made of a format's own pieces with what Unicode takes for blanks and line ends."""

from __future__ import annotations

from hypothesis import strategies as st

ODD = [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\xa0", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\xa8"]
"""What str.split(), strip() or splitlines() takes for a blank or a line end; the single bytes also in Latin-1."""
OTHERS = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xd9\xa3",
    b"1_0",
    b"-",
]


def of(*pieces: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, or a row of these pieces and of those that make trouble."""
    row = st.lists(st.sampled_from([*pieces, *pieces, *ODD, *OTHERS]), max_size=24).map(b"".join)
    return st.one_of(st.binary(max_size=64), row)
