# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version that hosts show in their metrics is the collection's."""

from __future__ import annotations

from _collection import ROOT, read_yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _version


def test_version() -> None:
    """As in galaxy.yml."""
    assert read_yaml(ROOT / "galaxy.yml")["version"] == _version.VERSION
