# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the contract tests."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from _collection import MODULES


@pytest.fixture(scope="session")
def documentation() -> dict[str, dict[str, Any]]:
    """What ansible-doc says of each module: `doc`, `examples` (text), `return`; fragments are resolved in it."""
    if not MODULES:
        return {}
    names = [f"fastopen.shadowsocks.{module}" for module in MODULES]
    answer = subprocess.run(
        ["ansible-doc", "-t", "module", "--json", *names], check=False, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return {name.rpartition(".")[2]: value for name, value in json.loads(answer.stdout).items()}
