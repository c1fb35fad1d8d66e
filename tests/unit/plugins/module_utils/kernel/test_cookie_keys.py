# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of two hosts are compared by names that tell nothing of them."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _cookie_keys, _proc

ONE, TWO = "00000001-00000002-00000003-00000004", "0a0b0c0d-00000000-00000000-00000001"


@pytest.fixture(name="names")
def fixture_names(tmp_path):
    """The names of the keys in a text, None for no sysctl."""

    def names(text, run="r1"):
        path = tmp_path / "sys/net/ipv4/tcp_fastopen_key"
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(f"{text}\n")
        return _cookie_keys.names(run, str(tmp_path))

    return names


def test_the_same_key_has_the_same_name(names):
    """On every host of a run, and in no other run; the key itself is in none."""
    first, backup = names(f"{ONE},{TWO}")
    assert names(TWO) == [backup] and names(ONE) == [first] != [backup]
    assert names(ONE, "r2") != [first]
    assert not any(part in first + backup for part in ONE.split("-"))


@pytest.mark.parametrize("text", [None, "00000000-00000000-00000000-00000000"])
def test_no_key(names, text):
    """Not drawn yet, or not known to the kernel."""
    assert names(text) == []


def test_key_that_only_root_may_read(names, monkeypatch):
    """It is none that can be compared."""

    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_proc, "read_sysctl", refuse)
    assert names(ONE) == []
