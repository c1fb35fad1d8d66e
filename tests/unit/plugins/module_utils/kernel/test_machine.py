# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine this is."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _machine


@pytest.fixture
def proc(tmp_path):
    """A machine, by boot and namespace of processes."""

    def make(boot: str, namespace: str) -> str:
        folder = tmp_path / boot / namespace
        (folder / "sys" / "kernel" / "random").mkdir(parents=True)
        (folder / "sys" / "kernel" / "random" / "boot_id").write_text(f"{boot}\n")
        (folder / "self" / "ns").mkdir(parents=True)
        (folder / "self" / "ns" / "pid").symlink_to(namespace)
        return _machine.identity(str(folder))

    return make


def test_identity(proc, tmp_path):
    """Containers share a boot, and machines a number of their first namespace: only both together tell."""
    found = [proc("b1", "pid:[1]"), proc("b1", "pid:[2]"), proc("b2", "pid:[1]")]
    assert len(set(found)) == 3
    assert _machine.identity(str(tmp_path)) == ""


def test_here():
    """The same whenever it is asked."""
    assert _machine.identity() and _machine.identity() == _machine.identity()
