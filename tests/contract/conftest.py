# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the contract tests."""

from __future__ import annotations

import functools
import json
import subprocess
from typing import Any

import pytest


@functools.cache
def read_documentation(module: str) -> dict[str, Any]:
    """What ansible-doc says of this module: `doc`, `examples` (text), `return`; fragments are resolved in it."""
    name = f"fastopen.shadowsocks.{module}"
    answer = subprocess.run(
        ["ansible-doc", "-t", "module", "--json", name], check=False, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)[name]


@pytest.fixture
def documentation(module: str) -> dict[str, Any]:
    """The documentation of the module that the test is about."""
    return read_documentation(module)
