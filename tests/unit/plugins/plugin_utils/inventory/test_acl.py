# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access lists: what shadowsocks-libev would take for a rule of its own, or drop (field: A8)."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._acl import LISTS, MODES, AccessList
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong


@pytest.mark.parametrize(
    "text",
    [
        "[outbound_block_list]\n127.0.0.0/8\n::1\n^(.*\\.)?example\\.org$\n",
        "# mine\n\n  [reject_all]\r\n[white_list]\n203.0.113.0/24 \n",
        "[accept_all]",
        f"[black_list]\n{'a' * 254}\n",
        "[black_list]\n[^.]+\\.example$\n",
        *(f"[{name}]\n10.0.0.0/8" for name in (*LISTS, *MODES)),
    ],
)
def test_good(text):
    """As it is."""
    assert AccessList().read(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/etc/shadowsocks-libev/server.acl", "comes before a section: begin with one"),
        ("/etc/shadowsocks-libev/server.acl", "lookup('ansible.builtin.file'"),
        ("server.acl", "lookup('ansible.builtin.file'"),
        ("10.0.0.0/8\n[black_list]", "line 1, '10.0.0.0/8', comes before a section"),
        ("[outbound_white_list]\n1.2.3.4", "is no section of shadowsocks-libev"),
        ("[outbound_blocklist]", "did you mean [outbound_block_list]?"),
        ("[Black_List]", "did you mean [black_list]?"),
        ("[black_list] # comment", "is no section"),
        ("[ black_list ]", "is no section"),
        ("[]", "is no section"),
        (f"[black_list]\n# ok\n{'a' * 255}", "line 3 is longer than 254 bytes"),
        (f"[black_list]\n{'ä' * 128}", "line 2 is longer than 254 bytes"),
        ("[black_list]\n10.0.0.0/x", "the prefix must be a number from 0 to 32"),
        ("[black_list]\n10.0.0.0/33", "the prefix must be a number from 0 to 32"),
        ("[black_list]\n10.0.0.0/", "the prefix must be a number from 0 to 32"),
        ("[black_list]\n2001:db8::/129", "the prefix must be a number from 0 to 128"),
        ("[black_list]\na\x00b", "line 2 holds a control character"),
        ("# nothing\n", "holds nothing but comments"),
        (" \n", "is empty"),
        (["[white_list]"], "but a list"),
        (5, "quote it"),
    ],
)
def test_refused(text, message):
    """With the line, and what is likely meant."""
    with pytest.raises(Wrong) as caught:
        AccessList().read(text)
    assert message in str(caught.value)
