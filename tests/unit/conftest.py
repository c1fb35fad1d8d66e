# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The budget of the tests by properties: the same 200 examples in every run, nothing written into the checkout."""

from __future__ import annotations

import os
import tempfile

import hypothesis
from hypothesis import configuration

configuration.set_hypothesis_home_dir(
    os.path.join(os.environ.get("FASTOPEN_CACHE", tempfile.gettempdir()), "hypothesis")
)
hypothesis.settings.register_profile(
    "fixed",
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fixed")
