# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest Python on a host."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _python


def test_old():
    """Says which one it is, which is needed, and where to name it."""
    with pytest.raises(ImportError, match=r"Python is 3\.8, .* needs 3\.9 or later: .* ansible_python_interpreter"):
        _python.require((3, 8, 18, "final", 0))
    _python.require((3, 9, 0))
    _python.require((4, 0))
