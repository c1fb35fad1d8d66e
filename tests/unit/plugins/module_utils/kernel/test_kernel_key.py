# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cookie key: set, put back, and never shown."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel_diff, _lines, _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

HEADER = f"{_lines.HEADER}\n"
OLD_KEY, NEW_KEY = "0a0b0c0d-00000002-00000003-00000004", "00000001-00000002-00000003-00000004"


def test_a_key_comes_back(kernel_host) -> None:
    kernel_host.set(_proc.FASTOPEN_KEY, OLD_KEY)
    result = kernel_host.converge(key="1-2-3-4")
    assert kernel_host.get(_proc.FASTOPEN_KEY) == NEW_KEY
    assert kernel_host.read() == HEADER + f"net.ipv4.tcp_fastopen_key = {NEW_KEY}\n"
    assert kernel_host.mode() == 0o600
    assert NEW_KEY not in str(result) and OLD_KEY not in str(result)
    assert "(hidden, new)" in result.diff[0]["after"] and "(hidden, new)" in result.diff[1]["after"]
    assert NEW_KEY not in str(kernel_host.restore().diff)
    assert kernel_host.get(_proc.FASTOPEN_KEY) == OLD_KEY


@pytest.mark.parametrize(
    "spelling", ["net.ipv4.tcp_fastopen_key = ", "-net/ipv4/tcp_fastopen_key=", "# net.ipv4.tcp_fastopen_key = "]
)
def test_no_diff_shows_a_key(spelling: str) -> None:
    old, new = (_files.State(f"a = 1\n{spelling}{key}\n".encode(), 0o600, 0, 0) for key in (OLD_KEY, NEW_KEY))
    [entry] = _kernel_diff.diff({}, {}, {"/x": (old, new)})
    assert OLD_KEY not in str(entry) and NEW_KEY not in str(entry)
    assert "(hidden, new)" in entry["after"] and "a = 1\n" in entry["after"]


def test_a_key_that_somebody_changed_stays_and_stays_private(kernel_host) -> None:
    kernel_host.write(kernel_host.file, "net.core.rmem_max = 1\n", 0o644)
    kernel_host.converge(key="1-2-3-4", somaxconn=8192)
    theirs = kernel_host.read().replace(NEW_KEY, OLD_KEY)
    kernel_host.write(kernel_host.file, theirs, 0o600)
    kernel_host.set(_proc.FASTOPEN_KEY, OLD_KEY)
    kernel_host.restore()
    assert kernel_host.read() == theirs.replace("net.core.somaxconn = 8192\n", "")
    assert (kernel_host.mode(), kernel_host.get(_proc.FASTOPEN_KEY)) == (0o600, OLD_KEY)


def test_an_unset_key_is_not_written_back(kernel_host) -> None:
    kernel_host.converge(key="1-2-3-4")
    kernel_host.restore()
    assert kernel_host.get(_proc.FASTOPEN_KEY) == NEW_KEY
    assert not (kernel_host.root / kernel_host.file).exists()


def test_the_key_line_stays_when_no_key_is_given(kernel_host) -> None:
    kernel_host.converge(key="1-2-3-4")
    kernel_host.converge(accept=True, somaxconn=8192)
    assert f"net.ipv4.tcp_fastopen_key = {NEW_KEY}\n" in kernel_host.read()
    assert kernel_host.mode() == 0o600


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1-2-3-4", NEW_KEY),
        ("A0B0C0D-2-3-4", OLD_KEY),
        ("1-2-3-4, A0B0C0D-2-3-4", f"{NEW_KEY},{OLD_KEY}"),
        ("ffffffff-0-0-0", "ffffffff-00000000-00000000-00000000"),
    ],
)
def test_key_forms(kernel_host, text: str, key: str) -> None:
    kernel_host.converge(key=text)
    assert kernel_host.get(_proc.FASTOPEN_KEY) == key
    assert not kernel_host.converge(key=text).changed
