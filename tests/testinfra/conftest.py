# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assertions in the helpers show their values as those in the tests do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("_boxes", "_elsewhere", "_life")
